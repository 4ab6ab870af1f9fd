/* What the files of the compiled core have in common.
 *
 * The rule of all functions here: C answers what is well-formed and usual, and hands every other call, with its
 * arguments, to the function of the same name in `irminpy/_core.py`, `_frames.py`, `_gather.py`, `_nodes.py`, `_edits.py` or `_rows.py`, which decides, and raises what is to be raised. So
 * both cores accept the same input and give the same errors, and C has no text of an error.
 *
 * The second rule: no length that was read is used before it was compared with the bytes that are there. */
#ifndef IRMINPY_CORE_H
#define IRMINPY_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

/* The functions of `irminpy._core` and `irminpy._frames` that C may hand a call to. */
#define REFERENCES(X) \
    X(digest)         \
    X(digest_many)    \
    X(encode_node)    \
    X(encode_nodes)   \
    X(encode_inode)   \
    X(decode_node)    \
    X(decode_inode)   \
    X(load_node)      \
    X(load_inode)     \
    X(seek_node)      \
    X(seek_inode)     \
    X(children)       \
    X(patch_column)   \
    X(checked_frame)  \
    X(descend)        \
    X(gather)         \
    X(frame_of)       \
    X(difference)     \
    X(rebuilt)        \
    X(filled_words)   \
    X(patched)        \
    X(bucket_of)      \
    X(follow)         \
    X(read_nodes)     \
    X(read_state)     \
    X(take_elements)  \
    X(write_nodes)    \
    X(place)          \
    X(settle)         \
    X(settle_new)     \
    X(put_many)       \
    X(bind)           \
    X(record_at)      \
    X(frames)         \
    X(crc)            \
    X(weight)         \
    X(placed)         \
    X(find)           \
    X(check_words)    \
    X(merge_rows)     \
    X(row_of)         \
    X(filter_add)     \
    X(filter_find)    \
    X(unlike)         \
    X(rebind)

/* The names of attributes that are asked for. */
#define NAMES(X) \
    X(map)       \
    X(seen)      \
    X(first)     \
    X(now)       \
    X(base)      \
    X(source)    \
    X(pins)      \
    X(decoded)   \
    X(record)    \
    X(hash)      \
    X(word)      \
    X(line)      \
    X(size)      \
    X(over)      \
    X(grows)     \
    X(drops)     \
    X(start)     \
    X(nodes)     \
    X(values)    \
    X(recent)    \
    X(contents)  \
    X(node)      \
    X(put)       \
    X(version)

typedef enum {
#define X(name) REF_##name,
    REFERENCES(X)
#undef X
        REFERENCE_COUNT
} Reference;

typedef enum {
#define X(name) NAME_##name,
    NAMES(X)
#undef X
        NAME_COUNT
} Name;

/* Where objects of a class have the slots of these names; 0 where they have none. */
typedef struct {
    PyTypeObject *type;
    Py_ssize_t at[NAME_COUNT];
} Layout;

/* The classes that C looks into. */
typedef enum { LAYOUT_STAGED, LAYOUT_STORED, LAYOUT_COUNT } Laid;

typedef struct {
    PyObject *reference[REFERENCE_COUNT];
    PyObject *name[NAME_COUNT];
    Layout layout[LAYOUT_COUNT]; /* of the class that was given last; the reference is held */
    PyObject *nothing; /* the metadata of all loaded nodes that have none; as all columns, nobody changes it */
} State;

static inline State *state_of(PyObject *module) { return (State *)PyModule_GetState(module); }

/* The answer of the function in Python. */
static inline PyObject *refer(PyObject *module, Reference which, PyObject *const *args, Py_ssize_t n) {
    return PyObject_Vectorcall(state_of(module)->reference[which], args, (size_t)n, NULL);
}

#define FUNCTION(name) PyObject *core_##name(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
#define REFER(name) refer(module, REF_##name, args, nargs)
#define ATTRIBUTE(object, which) attribute(state, object, NAME_##which)
#define ASSIGN(object, which, value) assign(state, object, NAME_##which, value)
#define METHOD(name, text) \
    { #name, (PyCFunction)(void (*)(void))core_##name, METH_FASTCALL, text }

/* Where an object of a known class has this attribute; NULL if it is not known. */
static inline PyObject **slot_of(const State *state, PyObject *object, Name name) {
    for (int i = 0; i < LAYOUT_COUNT; i++)
        if (Py_TYPE(object) == state->layout[i].type)
            return state->layout[i].at[name] ? (PyObject **)((char *)object + state->layout[i].at[name]) : NULL;
    return NULL;
}

/* As `getattr`: a new reference, or NULL with an error set. */
static inline PyObject *attribute(const State *state, PyObject *object, Name name) {
    PyObject **slot = slot_of(state, object, name);
    return slot && *slot ? Py_NewRef(*slot) : PyObject_GetAttr(object, state->name[name]);
}

/* As `setattr`: 0, or -1 with an error set. */
static inline int assign(const State *state, PyObject *object, Name name, PyObject *value) {
    PyObject **slot = slot_of(state, object, name);
    if (!slot) return PyObject_SetAttr(object, state->name[name], value);
    PyObject *before = *slot;
    *slot = Py_NewRef(value);
    Py_XDECREF(before);
    return 0;
}

/* Those of node.c that frame.c calls. */
FUNCTION(load_node);
FUNCTION(load_inode);
FUNCTION(children);

/* One table for each file; the end of each is a row of zeros. */
extern PyMethodDef bind_methods[];
extern PyMethodDef bucket_methods[];
extern PyMethodDef digest_methods[];
extern PyMethodDef elements_methods[];
extern PyMethodDef find_methods[];
extern PyMethodDef gather_methods[];
extern PyMethodDef follow_methods[];
extern PyMethodDef node_methods[];
extern PyMethodDef read_nodes_methods[];
extern PyMethodDef read_state_methods[];
extern PyMethodDef rows_methods[];
extern PyMethodDef seek_methods[];
extern PyMethodDef difference_methods[];
extern PyMethodDef frame_methods[];
extern PyMethodDef settle_methods[];
extern PyMethodDef settle_new_methods[];
extern PyMethodDef put_many_methods[];
extern PyMethodDef unlike_methods[];
extern PyMethodDef write_nodes_methods[];

/* The int `o` from 0 on, what is larger than a size being the largest size; -1 for anything else. */
static inline Py_ssize_t size_of(PyObject *o) {
    if (!PyLong_CheckExact(o)) return -1;
    int overflow = 0;
    long long value = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (overflow) return overflow > 0 ? PY_SSIZE_T_MAX : -1;
    return value > PY_SSIZE_T_MAX ? PY_SSIZE_T_MAX : value < 0 ? -1 : (Py_ssize_t)value;
}

/* The same for sizes of a hash, which are small: products with numbers of items that fit their bytes do not overflow. */
static inline Py_ssize_t hash_size_of(PyObject *o) {
    Py_ssize_t size = size_of(o);
    return size >= 1 && size <= 1024 ? size : -1;
}

/* Numbers as frames and columns of words have them: the lowest byte first. */
static inline uint32_t u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t u64(const uint8_t *p) { return (uint64_t)u32(p) | (uint64_t)u32(p + 4) << 32; }

static inline void put_u64(uint8_t *p, uint64_t n) {
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)(n >> 8 * i);
}

/* The bytes of the text, and how many they are; NULL, with no error set, if it is no str that has UTF-8. */
static inline const char *utf8(PyObject *text, Py_ssize_t *size) {
    if (!PyUnicode_CheckExact(text)) return NULL;
    if (PyUnicode_IS_COMPACT_ASCII(text)) {
        *size = PyUnicode_GET_LENGTH(text);
        return (const char *)PyUnicode_DATA(text);
    }
    const char *data = PyUnicode_AsUTF8AndSize(text, size);
    if (!data) PyErr_Clear();
    return data;
}

/* A tuple of the `n` items, whose references it takes; NULL if one of them is NULL, and then none is left. */
static inline PyObject *tuple_of(Py_ssize_t n, PyObject *const *items) {
    int whole = 1;
    for (Py_ssize_t i = 0; i < n; i++) whole &= items[i] != NULL;
    PyObject *tuple = whole ? PyTuple_New(n) : NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (tuple)
            PyTuple_SET_ITEM(tuple, i, items[i]);
        else
            Py_XDECREF(items[i]);
    }
    return tuple;
}

#endif
