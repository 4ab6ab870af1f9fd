/* Passing over metadata: as seldom as can be with a call of their type. */
#include "metadata.h"

int metadata_init(Metadata *m, PyObject *data, PyObject *skip) {
    int none = skip == Py_None;
    if (!none && !PyCallable_Check(skip)) return 0;
    m->skip = none ? NULL : skip;
    m->data = data;
    m->found = PyDict_New();
    return m->found ? 1 : -1;
}

int metadata_skip(Metadata *m, Reader *r, size_t *size) {
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
