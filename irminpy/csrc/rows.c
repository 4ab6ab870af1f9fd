/* The rows of an index of the pack (docs/formats/index.md, "Rows"), sorted and merged; and filters of hashes. */
#include "core.h"
#include "crc.h"

#include <stdlib.h>

#define MOST_KEY 1024
#define WORD_AND_CRC 12

/* A row, and the first eight bytes of its key as a number that sorts as they do. */
typedef struct {
    uint64_t first;
    const uint8_t *key;
    size_t size;
} Row;

static int compare(const void *a, const void *b) {
    const Row *one = a, *other = b;
    if (one->first != other->first) return one->first < other->first ? -1 : 1;
    return memcmp(one->key, other->key, one->size);
}

/* As memcpy, for some ten bytes to some hundred, which compilers do with an instruction that is slow to begin. */
static inline void copy_few(uint8_t *to, const uint8_t *from, size_t n) {
    for (; n >= 8; n -= 8, to += 8, from += 8) memcpy(to, from, 8);
    while (n--) *to++ = *from++;
}

/* The processor may begin to fetch what lies at `p`. */
#if defined(__GNUC__)
#define FETCH(p) __builtin_prefetch(p)
#else
#define FETCH(p) ((void)(p))
#endif
#define AHEAD 12

static uint64_t first_of(const uint8_t *key, Py_ssize_t size) {
    uint64_t first = 0;
    for (Py_ssize_t i = 0; i < 8; i++) first = first << 8 | (i < size ? key[i] : 0);
    return first;
}

static inline void put32(uint8_t *p, uint32_t x) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(x >> (8 * i));
}

/* Sorts `rows` into `out` by the first bits, then each of the few that share them: hashes have any bits, so that these are
 * few, and where they are not, it takes as long as sorting takes. 0 without memory. */
static int sort(const Row *rows, size_t n, Row *out) {
    int bits = 1;
    while (bits < 16 && (size_t)1 << bits < n) bits++;
    size_t buckets = (size_t)1 << bits, *ends = calloc(buckets + 1, sizeof *ends);
    if (!ends) return 0;
    for (size_t i = 0; i < n; i++) ends[(rows[i].first >> (64 - bits)) + 1]++;
    for (size_t i = 0; i < buckets; i++) ends[i + 1] += ends[i];
    /* Each number was where its bucket begins, and is where it ends when all have come. */
    for (size_t i = 0; i < n; i++) out[ends[rows[i].first >> (64 - bits)]++] = rows[i];
    for (size_t i = 0, start = 0; i < buckets; start = ends[i++])
        if (ends[i] - start > 1) qsort(out + start, ends[i] - start, sizeof *out, compare);
    free(ends);
    return 1;
}

/* Copies keys and words to `raw`, row by row, and notes them in `rows`; 0 if one of them is for Python to look at. */
static int copy(PyObject *entries, const char *prefix, Py_ssize_t before, Py_ssize_t size, uint8_t *raw, Row *rows) {
    PyObject *key, *word;
    Py_ssize_t at = 0, soon = 0, width = before + size + WORD_AND_CRC;
    for (int i = 0; i < AHEAD; i++) PyDict_Next(entries, &soon, &key, &word);
    for (PyObject *later, *number; PyDict_Next(entries, &at, &key, &word);) {
        if (PyDict_Next(entries, &soon, &later, &number)) { /* both lie anywhere */
            FETCH(later);
            FETCH((uint8_t *)later + 64);
            FETCH(number);
        }
        if (!PyBytes_Check(key) || PyBytes_GET_SIZE(key) != size || !PyLong_CheckExact(word)) return 0;
        uint64_t number = PyLong_AsUnsignedLongLong(word);
        if (PyErr_Occurred()) {
            PyErr_Clear();
            return 0;
        }
        if (!number) return 0;
        copy_few(raw, (const uint8_t *)prefix, (size_t)before);
        copy_few(raw + before, (const uint8_t *)PyBytes_AS_STRING(key), (size_t)size);
        put32(raw + before + size, (uint32_t)number);
        put32(raw + before + size + 4, (uint32_t)(number >> 32));
        *rows++ = (Row){first_of(raw + before, size), raw + before, (size_t)size};
        raw += width;
    }
    return 1;
}

FUNCTION(index_rows) {
    /* prefix, entries, size */
    Py_ssize_t size;
    if (nargs != 3 || !PyBytes_CheckExact(args[0]) || !PyDict_CheckExact(args[1]) || (size = size_of(args[2])) < 0 ||
        size > MOST_KEY || PyBytes_GET_SIZE(args[0]) > MOST_KEY)
        return REFER(index_rows);
    Py_ssize_t n = PyDict_GET_SIZE(args[1]), before = PyBytes_GET_SIZE(args[0]), width = before + size + WORD_AND_CRC;
    if (n > PY_SSIZE_T_MAX / (width + 2 * (Py_ssize_t)sizeof(Row))) return REFER(index_rows);
    PyObject *result = PyBytes_FromStringAndSize(NULL, n * width);
    if (!n || !result) return result;
    /* Twice the rows: as they come, and sorted. */
    uint8_t *raw = PyMem_Malloc((size_t)(n * width));
    Row *rows = PyMem_Malloc(2 * (size_t)n * sizeof *rows), *sorted = rows + n;
    int usual = raw && rows && copy(args[1], PyBytes_AS_STRING(args[0]), before, size, raw, rows);
    if (usual) {
        uint8_t *out = (uint8_t *)PyBytes_AS_STRING(result);
        /* Nothing of Python is looked at from here on: commits of other threads go on. */
        Py_BEGIN_ALLOW_THREADS;
        usual = sort(rows, (size_t)n, sorted);
        for (Py_ssize_t i = 0; usual && i < n; i++, out += width) {
            if (i + AHEAD < n) FETCH(sorted[i + AHEAD].key); /* which lies anywhere */
            copy_few(out, sorted[i].key - before, (size_t)(width - 4));
            put32(out + width - 4, crc_of(out, (size_t)(width - 4), 0));
        }
        Py_END_ALLOW_THREADS;
    }
    PyMem_Free(raw);
    PyMem_Free(rows);
    if (usual) return result;
    Py_DECREF(result);
    return REFER(index_rows);
}

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
    METHOD(index_rows, "Rows of an index, ascending."),
    METHOD(merge_rows, "Rows of two, ascending."),
    METHOD(filter_add, "Hashes are added to a filter."),
    METHOD(filter_find, "The hashes that may have been added to a filter."),
    {NULL, NULL, 0, NULL},
};
