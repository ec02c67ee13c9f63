"""`python -m urban_map_loc`: the same as the console script."""

from urban_map_loc.cli.main import main

if __name__ == "__main__":
    main()
