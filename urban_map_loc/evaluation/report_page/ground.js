// Buildings and roads as paths in metres, in square cells: only what is in view is drawn.

const CELL_M = 250;

class Ground {
  constructor(run) {
    this.buildings = this.cells(run.buildings, true);
    this.roads = this.cells(run.roads, false);
  }

  cells({ corners, east, north }, closed) {
    const cells = new Map();
    let at = 0;
    let key = "";
    for (const count of corners) {
      const end = at + Math.abs(count);
      // Negative: a courtyard. It goes the other way round, and into the cell of the building before it.
      if (count > 0) key = `${Math.floor(east[at] / CELL_M)},${Math.floor(north[at] / CELL_M)}`;
      if (!cells.has(key)) cells.set(key, { path: new Path2D(), west: Infinity, south: Infinity, east: -Infinity, north: -Infinity });
      const cell = cells.get(key);
      for (let i = at; i < end; i += 1) {
        if (i === at) cell.path.moveTo(east[i], north[i]);
        else cell.path.lineTo(east[i], north[i]);
        cell.west = Math.min(cell.west, east[i]);
        cell.east = Math.max(cell.east, east[i]);
        cell.south = Math.min(cell.south, north[i]);
        cell.north = Math.max(cell.north, north[i]);
      }
      if (closed) cell.path.closePath();
      at = end;
    }
    return [...cells.values()];
  }

  buildingsIn(west, south, east, north) {
    return Ground.within(this.buildings, west, south, east, north);
  }

  roadsIn(west, south, east, north) {
    return Ground.within(this.roads, west, south, east, north);
  }

  static within(cells, west, south, east, north) {
    return cells.filter((c) => c.west <= east && c.east >= west && c.south <= north && c.north >= south).map((c) => c.path);
  }
}
