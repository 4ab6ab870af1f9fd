/* The steps of a path. */
#include "part.h"

#define LONGEST 4096 /* bytes of a path in which no step can be too long: as long as a step may be */

PyObject *steps_of(PyObject *path) {
    if (PyList_CheckExact(path)) return PyList_AsTuple(path);
    if (!PyUnicode_CheckExact(path) || !PyUnicode_IS_COMPACT_ASCII(path) || PyUnicode_GET_LENGTH(path) > LONGEST) return NULL;
    const char *text = (const char *)PyUnicode_DATA(path), *end = text + PyUnicode_GET_LENGTH(path);
    Py_ssize_t n = 0, i = 0;
    for (const char *at = text; at < end; at++) {
        if (!*at) return NULL;
        n += *at != '/' && (at + 1 == end || at[1] == '/');
    }
    PyObject *steps = PyTuple_New(n);
    for (const char *at = text, *next; steps && at < end; at = next + 1) {
        next = memchr(at, '/', (size_t)(end - at));
        if (!next) next = end;
        if (next == at) continue;
        PyObject *step = PyUnicode_New(next - at, 127);
        if (step) memcpy(PyUnicode_DATA(step), at, (size_t)(next - at));
        if (step)
            PyTuple_SET_ITEM(steps, i++, step);
        else
            Py_CLEAR(steps);
    }
    return steps;
}
