/* Directories in memory, as `irminpy.tree` has them (lazy.py, stage.py): made as their `__init__` does, without a call of it. */
#ifndef IRMINPY_PART_H
#define IRMINPY_PART_H

#include "core.h"
#include "record.h"

/* The steps of a path, a new tuple: those of a list, or what stands between the slashes of a short text in ASCII without NUL, of
 * which every step is legal. NULL if that is not for C to say, or with an error set. */
PyObject *steps_of(PyObject *path);

/* Learns where objects of the class have their slots. */
void layout_of(State *state, Laid which, PyTypeObject *type);

/* A new object of the class with these attributes; takes no references. */
static inline PyObject *new_part(State *state, PyTypeObject *type, size_t n, const Name *names, PyObject *const *values) {
    PyObject *part = type->tp_alloc(type, 0);
    for (size_t i = 0; part && i < n; i++)
        if (assign(state, part, names[i], values[i]) < 0) Py_CLEAR(part);
    return part;
}

/* Objects of this class are looked into from now on. */
static inline void learn(State *state, Laid which, PyTypeObject *type) {
    if (state->layout[which].type != type) layout_of(state, which, type);
}

/* `Stored(hash, source, now, None, word)`. */
static inline PyObject *new_stored(State *state, PyTypeObject *type, PyObject *hash, PyObject *source, PyObject *now,
                                   PyObject *word) {
    static const Name names[] = {NAME_hash, NAME_source, NAME_word, NAME_now, NAME_pins, NAME_decoded};
    PyObject *const values[] = {hash, source, word, now, Py_None, Py_None};
    return new_part(state, type, 6, names, values);
}

/* The directory at position `i` of the flat record `node`, unread. */
static inline PyObject *stored_at(State *state, PyTypeObject *type, PyObject *source, PyObject *node, Py_ssize_t i) {
    PyObject *hash = PyBytes_FromStringAndSize(PyBytes_AS_STRING(field(node, 2)) + i * HASH, HASH), *stored = NULL;
    PyObject *word = word_at(field(node, 4), i), *now = PyDict_New();
    if (hash && word && now) stored = new_stored(state, type, hash, source, now, word);
    Py_XDECREF(hash);
    Py_XDECREF(word);
    Py_XDECREF(now);
    return stored;
}

/* `view.record()`, kept in it, for a `Stored` with no record yet: read `from` there, if it is known
 * where it lies. */
static inline PyObject *record_of(State *state, PyObject *view, const Nodes *from) {
    PyObject *hash = ATTRIBUTE(view, hash), *word = ATTRIBUTE(view, word), *record = NULL;
    int placed = word && size_of(word) > 0;
    if (hash && placed) record = node_at(hash, word, from);
    Py_XDECREF(hash);
    Py_XDECREF(word);
    if (!hash || !word || (placed && !record)) return NULL;
    /* A root of a directory, or for Python to refuse. */
    if (record && is_root(record)) {
        if (ASSIGN(view, decoded, record) < 0) Py_CLEAR(record);
        return record;
    }
    Py_XDECREF(record);
    return PyObject_CallMethodNoArgs(view, state->name[NAME_record]);
}

/* `Staged(line, base, now, size)`, with `first` set. */
static inline PyObject *new_staged(State *state, PyTypeObject *type, PyObject *line, PyObject *base, PyObject *now,
                                   PyObject *size, PyObject *first) {
    static const Name names[] = {NAME_line, NAME_base,  NAME_now,   NAME_size, NAME_first,
                                 NAME_over, NAME_grows, NAME_drops, NAME_start};
    PyObject *const values[] = {line, base, now, size, first, Py_None, Py_None, Py_None, size};
    return new_part(state, type, 9, names, values);
}

#endif
