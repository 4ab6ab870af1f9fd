#ifndef IRMINPY_CACHE_H
#define IRMINPY_CACHE_H

#include "core.h"

/* What is at hand under `key`, a new reference, or None. `recent` is a cache of this module, which is asked without a call, or
 * what the method of that name of any other is. NULL with an error set. */
PyObject *in_cache(PyObject *recent, PyObject *key);

/* What to ask `in_cache` for, of any cache: a new reference. */
PyObject *recent_of(const State *state, PyObject *cache);

/* Adds the class to the module; -1 with an error set. */
int cache_begin(PyObject *module);

#endif
