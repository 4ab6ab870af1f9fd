/* What a node is not that an older one was, and back (docs/formats/pack.md, "Differences"). */
#include "difference.h"
#include "seek.h"

static inline Py_ssize_t position(const uint8_t *payload, Py_ssize_t i) {
    return payload[POSITION * i] | (Py_ssize_t)payload[POSITION * i + 1] << 8;
}

/* Whether the eight bytes are others. */
static inline uint64_t other(const uint8_t *p, const uint8_t *q) {
    uint64_t a, b;
    memcpy(&a, p, 8);
    memcpy(&b, q, 8);
    return a ^ b;
}

static inline int differ(const Whole *node, const Whole *before, Py_ssize_t hash, Py_ssize_t i) {
    Py_ssize_t at = node->size - (node->n - i) * hash;
    const uint8_t *p = node->canonical + at, *q = before->canonical + at;
    if (other(node->words + 8 * i, before->words + 8 * i)) return 1;
    if (hash == HASH) return (other(p, q) | other(p + 8, q + 8) | other(p + 16, q + 16) | other(p + 24, q + 24)) != 0;
    return memcmp(p, q, (size_t)hash) != 0;
}

Py_ssize_t differences(const Whole *node, const Whole *before, Py_ssize_t hash) {
    Py_ssize_t n = node->n, size = node->size, most, count = 0;
    if (n < 1 || n > MOST_CHILDREN || n != before->n || size != before->size || hash < 1 || size / n < hash ||
        memcmp(node->canonical, before->canonical, (size_t)(size - n * hash)))
        return 0;
    /* A word for what it differs from, and for each child a position, a hash, a word. */
    most = ((size + 8 * n) / 2 - 8) / (POSITION + hash + 8);
    for (Py_ssize_t i = 0; i < n; i++)
        if (differ(node, before, hash, i) && ++count > most) return 0;
    return count;
}

void put_differences(const Whole *node, const Whole *before, Py_ssize_t hash, Py_ssize_t count, uint8_t *payload, uint8_t *words) {
    uint8_t *hashes = payload + POSITION * count;
    for (Py_ssize_t i = 0, k = 0; i < node->n && k < count; i++) {
        if (!differ(node, before, hash, i)) continue;
        payload[POSITION * k] = (uint8_t)i;
        payload[POSITION * k + 1] = (uint8_t)(i >> 8);
        memcpy(hashes + k * hash, node->canonical + node->size - (node->n - i) * hash, (size_t)hash);
        memcpy(words + 8 * k, node->words + 8 * i, 8);
        k++;
    }
}

int says_of(const uint8_t *payload, Py_ssize_t size, Py_ssize_t count, Py_ssize_t n, Py_ssize_t hash) {
    if (count < 1 || count > n || size / count != POSITION + hash || size % count) return 0;
    for (Py_ssize_t k = 1; k < count; k++)
        if (position(payload, k - 1) >= position(payload, k)) return 0;
    return position(payload, count - 1) < n;
}

void apply_differences(const Whole *before, const uint8_t *payload, const uint8_t *words, Py_ssize_t count, Py_ssize_t hash,
                       uint8_t *canonical, uint8_t *column) {
    const uint8_t *hashes = payload + POSITION * count;
    memcpy(canonical, before->canonical, (size_t)before->size);
    memcpy(column, before->words, (size_t)(8 * before->n));
    for (Py_ssize_t k = 0; k < count; k++) {
        Py_ssize_t i = position(payload, k);
        memcpy(canonical + before->size - (before->n - i) * hash, hashes + k * hash, (size_t)hash);
        memcpy(column + 8 * i, words + 8 * k, 8);
    }
}

/* The node with these bytes and words; whether there may be differences from one like it. */
static int whole(PyObject *canonical, PyObject *words, Whole *node) {
    if (!PyBytes_CheckExact(canonical) || !PyBytes_CheckExact(words) || PyBytes_GET_SIZE(words) % 8) return 0;
    node->canonical = (const uint8_t *)PyBytes_AS_STRING(canonical);
    node->words = (const uint8_t *)PyBytes_AS_STRING(words);
    node->size = PyBytes_GET_SIZE(canonical);
    node->n = PyBytes_GET_SIZE(words) / 8;
    return node->n > 0 && node->n <= MOST_CHILDREN;
}

FUNCTION(difference) {
    /* canonical, words, before, its words, size of a hash */
    Whole node, before;
    Py_ssize_t hash;
    if (nargs != 5 || (hash = size_of(args[4])) < 1 || hash > 1 << 16 || !whole(args[0], args[1], &node) ||
        !whole(args[2], args[3], &before))
        return REFER(difference);
    Py_ssize_t count = differences(&node, &before, hash);
    if (!count) Py_RETURN_NONE;
    PyObject *payload = PyBytes_FromStringAndSize(NULL, count * (POSITION + hash)), *words = PyBytes_FromStringAndSize(NULL, 8 * count);
    if (payload && words)
        put_differences(&node, &before, hash, count, (uint8_t *)PyBytes_AS_STRING(payload), (uint8_t *)PyBytes_AS_STRING(words));
    PyObject *items[] = {payload, words};
    return tuple_of(2, items);
}

FUNCTION(rebuilt) {
    /* before, its words, payload, words, size of a hash */
    Whole before;
    Py_ssize_t hash;
    if (nargs != 5 || (hash = size_of(args[4])) < 1 || hash > 1 << 16 || !whole(args[0], args[1], &before) ||
        before.size / before.n < hash || !PyBytes_CheckExact(args[2]) || !PyBytes_CheckExact(args[3]) || PyBytes_GET_SIZE(args[3]) % 8)
        return REFER(rebuilt);
    const uint8_t *payload = (const uint8_t *)PyBytes_AS_STRING(args[2]);
    Py_ssize_t count = PyBytes_GET_SIZE(args[3]) / 8;
    if (!says_of(payload, PyBytes_GET_SIZE(args[2]), count, before.n, hash)) return REFER(rebuilt);
    PyObject *canonical = PyBytes_FromStringAndSize(NULL, before.size), *column = PyBytes_FromStringAndSize(NULL, 8 * before.n);
    if (canonical && column)
        apply_differences(&before, payload, (const uint8_t *)PyBytes_AS_STRING(args[3]), count, hash,
                          (uint8_t *)PyBytes_AS_STRING(canonical), (uint8_t *)PyBytes_AS_STRING(column));
    PyObject *items[] = {canonical, column};
    return tuple_of(2, items);
}

PyMethodDef difference_methods[] = {
    METHOD(difference, "In which children a node is not what an older one is."),
    METHOD(rebuilt, "The node that an older one becomes by a difference."),
    {NULL, NULL, 0, NULL},
};
