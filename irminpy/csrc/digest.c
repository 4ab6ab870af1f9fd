/* Hashing: one input, or many in one call. */
#include "core.h"
#include "blake3.h"
#include "crc.h"

/* From so many bytes on the package blake3 is faster, which hashes several chunks at once. */
#define LARGE 2048

FUNCTION(digest) {
    if (nargs != 1 || !PyBytes_CheckExact(args[0]) || PyBytes_GET_SIZE(args[0]) > LARGE) return REFER(digest);
    uint8_t out[BLAKE3_SIZE];
    blake3_digest((const uint8_t *)PyBytes_AS_STRING(args[0]), (size_t)PyBytes_GET_SIZE(args[0]), out);
    return PyBytes_FromStringAndSize((const char *)out, BLAKE3_SIZE);
}

FUNCTION(digest_many) {
    if (nargs != 1 || !PyList_CheckExact(args[0])) return REFER(digest_many);
    PyObject *items = args[0], *found = PyList_New(0);
    if (!found) return NULL;
    /* Hashing a large item may run other threads, so that the list may change. */
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        PyObject *item = Py_NewRef(PyList_GET_ITEM(items, i));
        if (!PyBytes_CheckExact(item)) {
            Py_DECREF(item);
            Py_DECREF(found);
            return REFER(digest_many);
        }
        PyObject *digest = core_digest(module, &item, 1);
        Py_DECREF(item);
        if (!digest || PyList_Append(found, digest) < 0) {
            Py_XDECREF(digest);
            Py_DECREF(found);
            return NULL;
        }
        Py_DECREF(digest);
    }
    return found;
}

/* What is longer is for zlib, which lets other threads run meanwhile. */
#define LONG (1 << 20)

FUNCTION(crc) {
    if (nargs != 1 || !PyBytes_CheckExact(args[0]) || PyBytes_GET_SIZE(args[0]) > LONG) return REFER(crc);
    const uint8_t *data = (const uint8_t *)PyBytes_AS_STRING(args[0]);
    return PyLong_FromUnsignedLong(crc_of(data, (size_t)PyBytes_GET_SIZE(args[0]), 0));
}

PyMethodDef digest_methods[] = {
    METHOD(digest, "The 32 bytes that BLAKE3 gives for the data."),
    METHOD(crc, "The CRC-32 of zlib."),
    METHOD(digest_many, "The digest of each item of the list."),
    {NULL, NULL, 0, NULL},
};
