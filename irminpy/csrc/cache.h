#ifndef IRMINPY_CACHE_H
#define IRMINPY_CACHE_H

#include "core.h"

/* Adds the class to the module; -1 with an error set. */
int cache_begin(PyObject *module);

#endif
