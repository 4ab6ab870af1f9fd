/* Metadata in the proofs of Irmin's forms: nothing is written around them, and only their type, in Python, tells where they end. */
#ifndef IRMINPY_METADATA_H
#define IRMINPY_METADATA_H

#include "proof.h"

typedef struct {
    PyObject *skip;      /* (data, at) to where the metadata end that begin there, or -1; NULL if there are none */
    PyObject *data;      /* the bytes of the proof */
    PyObject *found;     /* all that were met, as the keys of a dict */
    /* Those that were met last with this first byte: what tells its own end ends there wherever it stands. */
    struct {
        const uint8_t *data;
        size_t size;
    } seen[256];
} Metadata;

/* Takes the bytes of the proof, and `skip`, a callable or None: 1, 0 if it is neither, -1 with an error set. */
int metadata_init(Metadata *m, PyObject *data, PyObject *skip);

/* Passes over metadata, where there are some: 1, 0 if there are none, UNUSUAL, -1 with an error set. `*size`: their bytes. */
int metadata_skip(Metadata *m, Reader *r, size_t *size);

#endif
