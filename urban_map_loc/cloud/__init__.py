"""Points in the base frame: decoding PointCloud2, extrinsics, building extraction and the scan of nearest walls."""
