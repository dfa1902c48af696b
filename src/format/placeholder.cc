// placeholder so that the first build has a library here; replaced by the first real file
