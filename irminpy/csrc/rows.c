/* The rows of an index of the pack (docs/formats/index.md, "Rows"), merged; and filters of hashes. */
#include "core.h"
#include "words.h"

#define MOST_KEY 1024

/* Where the keys of `n` rows do not ascend, or NULL. */
static const uint8_t *descent(const uint8_t *rows, size_t n, size_t key, size_t width) {
    for (size_t i = 1; i < n; i++)
        if (memcmp(rows + (i - 1) * width, rows + i * width, key) >= 0) return rows + i * width;
    return NULL;
}

/* The rows of `a` and of `b`, of one key that of `a`; behind the last one in `out`. */
static uint8_t *merge(
    const uint8_t *a, const uint8_t *a_end, const uint8_t *b, const uint8_t *b_end, size_t key, size_t width, uint8_t *out
) {
    while (a < a_end && b < b_end) {
        int order = memcmp(a, b, key);
        copy_few(out, order <= 0 ? a : b, width);
        out += width;
        if (order <= 0) a += width;
        if (order >= 0) b += width;
    }
    memcpy(out, a, (size_t)(a_end - a));
    out += a_end - a;
    memcpy(out, b, (size_t)(b_end - b));
    return out + (b_end - b);
}

FUNCTION(merge_rows) {
    /* newer, older, key, value */
    Py_ssize_t key, value;
    if (nargs != 4 || !PyBytes_CheckExact(args[0]) || !PyBytes_CheckExact(args[1]) || (key = size_of(args[2])) < 1 ||
        key > MOST_KEY || (value = size_of(args[3])) < 0 || value > MOST_KEY)
        return REFER(merge_rows);
    Py_ssize_t n = PyBytes_GET_SIZE(args[0]), m = PyBytes_GET_SIZE(args[1]);
    size_t width = (size_t)(key + value);
    if ((size_t)n % width || (size_t)m % width || n > PY_SSIZE_T_MAX - m - 64) return REFER(merge_rows);
    PyObject *result = PyBytes_FromStringAndSize(NULL, n + m);
    if (!result) return NULL;
    const uint8_t *a = (const uint8_t *)PyBytes_AS_STRING(args[0]), *b = (const uint8_t *)PyBytes_AS_STRING(args[1]);
    uint8_t *out = (uint8_t *)PyBytes_AS_STRING(result), *end = out;
    int usual;
    Py_BEGIN_ALLOW_THREADS;
    usual = !descent(a, (size_t)n / width, (size_t)key, width) && !descent(b, (size_t)m / width, (size_t)key, width);
    if (usual) end = merge(a, a + n, b, b + m, (size_t)key, width, out);
    Py_END_ALLOW_THREADS;
    if (!usual) {
        Py_DECREF(result);
        return REFER(merge_rows);
    }
    if (end - out < n + m) _PyBytes_Resize(&result, end - out);
    return result;
}

FUNCTION(row_of) {
    /* rows, key, value */
    Py_ssize_t value;
    if (nargs != 3 || !PyBytes_CheckExact(args[0]) || !PyBytes_CheckExact(args[1]) || (value = size_of(args[2])) < 0 ||
        value > MOST_KEY || !PyBytes_GET_SIZE(args[1]))
        return REFER(row_of);
    const uint8_t *rows = (const uint8_t *)PyBytes_AS_STRING(args[0]), *key = (const uint8_t *)PyBytes_AS_STRING(args[1]);
    Py_ssize_t size = PyBytes_GET_SIZE(args[1]), width = size + value, low = 0, high = PyBytes_GET_SIZE(args[0]) / width;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (memcmp(rows + middle * width, key, (size_t)size) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low * width + width > PyBytes_GET_SIZE(args[0]) || memcmp(rows + low * width, key, (size_t)size)) Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((const char *)rows + low * width + size, value);
}

/* -- filters ----------------------------------------------------------------------------------------------------------- */

#define SHORTEST 16

/* Which block of 64 bytes the hash belongs to, of `size` bytes in all. */
static inline uint8_t *block_of(uint8_t *bits, Py_ssize_t size, const uint8_t *hash) {
    return bits + (u64(hash) << 6 & (uint64_t)(size - 1));
}

/* The bits of a filter, NULL if it is none; and whether `hashes` are what can be gone through without running anything. */
static uint8_t *filter_of(PyObject *const *args, Py_ssize_t *size) {
    if (!PyByteArray_CheckExact(args[0]) || !(PyList_CheckExact(args[1]) || PyDict_CheckExact(args[1])))
        return NULL;
    *size = PyByteArray_GET_SIZE(args[0]);
    return *size < 64 || *size & (*size - 1) ? NULL : (uint8_t *)PyByteArray_AS_STRING(args[0]);
}

/* The next hash, borrowed; NULL behind the last one, and for one that is for Python to look at: then `at` is -1. */
static PyObject *next_hash(PyObject *hashes, Py_ssize_t *at, Py_ssize_t least) {
    PyObject *hash = NULL;
    if (PyDict_CheckExact(hashes)) {
        if (!PyDict_Next(hashes, at, &hash, NULL)) return NULL;
    } else {
        if (*at >= PyList_GET_SIZE(hashes)) return NULL;
        hash = PyList_GET_ITEM(hashes, (*at)++);
    }
    if (PyBytes_Check(hash) && PyBytes_GET_SIZE(hash) >= least) return hash;
    *at = -1;
    return NULL;
}

FUNCTION(filter_add) {
    /* bits, hashes, skip */
    Py_ssize_t size, at = 0, skip;
    uint8_t *bits;
    if (nargs != 3 || (skip = size_of(args[2])) < 0 || skip > MOST_KEY || !(bits = filter_of(args, &size)))
        return REFER(filter_add);
    for (PyObject *hash; (hash = next_hash(args[1], &at, skip + SHORTEST));) {
        const uint8_t *p = (const uint8_t *)PyBytes_AS_STRING(hash) + skip;
        uint8_t *block = block_of(bits, size, p);
        uint64_t chosen = u64(p + 8);
        for (int i = 0; i < 4; i++, chosen >>= 9) block[chosen >> 3 & 63] |= (uint8_t)(1 << (chosen & 7));
    }
    if (at < 0) return REFER(filter_add);
    Py_RETURN_NONE;
}

FUNCTION(filter_find) {
    /* bits, hashes */
    Py_ssize_t size, at = 0;
    uint8_t *bits;
    if (nargs != 2 || !(bits = filter_of(args, &size))) return REFER(filter_find);
    PyObject *found = PyList_New(0);
    if (!found) return NULL;
    for (PyObject *hash; (hash = next_hash(args[1], &at, SHORTEST));) {
        const uint8_t *p = (const uint8_t *)PyBytes_AS_STRING(hash), *block = block_of(bits, size, p);
        uint64_t chosen = u64(p + 8);
        int all = 1;
        for (int i = 0; i < 4; i++, chosen >>= 9) all &= block[chosen >> 3 & 63] >> (chosen & 7);
        if (all & 1 && PyList_Append(found, hash) < 0) {
            Py_DECREF(found);
            return NULL;
        }
    }
    if (at >= 0) return found;
    Py_DECREF(found);
    return REFER(filter_find);
}

PyMethodDef rows_methods[] = {
    METHOD(merge_rows, "Rows of two, ascending."),
    METHOD(row_of, "What is behind a key."),
    METHOD(filter_add, "Hashes are added to a filter."),
    METHOD(filter_find, "The hashes that may have been added to a filter."),
    {NULL, NULL, 0, NULL},
};
