"""Describe an own scene: look at its files, check them, and write the description that runs read.

The only package that reads foreign formats (ENVI, GeoTIFF, HDF5, MATLAB 7.3); it needs Python 3.10 and h5py, spectral
and rasterio, each for its format. Papers read what it leaves: .npy and MATLAB level 5 files.
"""
