/* Metadata in the proofs of Irmin's forms: nothing is written around them, and only their type, in Python, tells where they end. */
#ifndef IRMINPY_METADATA_H
#define IRMINPY_METADATA_H

#include "proof.h"

typedef struct {
    PyObject *skip;      /* (data, at) to where the metadata end that begin there, or -1; NULL if there are none */
    PyObject *data;      /* the bytes of the proof */
    PyObject *found;     /* all that were met, as the keys of a dict */
    const uint8_t *usual; /* those of the default, which objects do not have */
    size_t usual_size;
    /* Those that were met last with this first byte: what tells its own end ends there wherever it stands. */
    struct {
        const uint8_t *data;
        size_t size;
    } seen[256];
} Metadata;

/* Takes `skip`, a callable or None, and the bytes of the default: 1, 0 if they are none, -1 with an error set. */
static inline int metadata_init(Metadata *m, PyObject *data, PyObject *skip, PyObject *usual) {
    int none = skip == Py_None;
    if (!PyBytes_CheckExact(usual) || (!none && !PyCallable_Check(skip))) return 0;
    m->skip = none ? NULL : skip;
    m->data = data;
    m->usual = (const uint8_t *)PyBytes_AS_STRING(usual);
    m->usual_size = (size_t)PyBytes_GET_SIZE(usual);
    m->found = PyDict_New();
    return m->found ? 1 : -1;
}

/* Passes over metadata: 1, 0 if there are none, UNUSUAL, -1 with an error set. `*size`: their bytes. */
static inline int metadata_skip(Metadata *m, Reader *r, size_t *size) {
    const uint8_t *at = r->at;
    if (left(r)) {
        size_t known = m->seen[*at].size;
        if (known && known <= left(r) && !memcmp(at, m->seen[*at].data, known)) {
            r->at += *size = known;
            return 1;
        }
    }
    const uint8_t *start = (const uint8_t *)PyBytes_AS_STRING(m->data);
    PyObject *place = PyLong_FromSsize_t(at - start);
    PyObject *answer = place ? PyObject_CallFunctionObjArgs(m->skip, m->data, place, NULL) : NULL;
    Py_XDECREF(place);
    if (!answer) return -1;
    Py_ssize_t end = PyLong_Check(answer) ? PyLong_AsSsize_t(answer) : -2;
    Py_DECREF(answer);
    if (end == -1 && !PyErr_Occurred()) return 0;
    PyErr_Clear();
    if (end < at - start || end > r->end - start) return UNUSUAL;
    *size = (size_t)(end - (at - start));
    r->at += *size;
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)at, (Py_ssize_t)*size);
    int done = bytes ? PyDict_SetItem(m->found, bytes, Py_None) : -1;
    Py_XDECREF(bytes);
    if (done < 0) return -1;
    if (*size) {
        m->seen[*at].data = at;
        m->seen[*at].size = *size;
    }
    return 1;
}

#endif
