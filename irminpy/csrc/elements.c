/* Taking the elements of a stream proof in Irmin's form apart, as `take_element` in `irminpy/proof/irmin/elements.py` does one by one:
 * only how they are written is looked at. */
#include "proof.h"

enum { CONTENTS, NODE_, INODE_, EXTENDER };

/* How many items follow, each of at least so many bytes; -1 if that cannot be. */
static int64_t count_of(Reader *r, size_t least) {
    int64_t n = varint(r);
    return n < 0 || (uint64_t)n > left(r) / least ? -1 : n;
}

/* Passes over a string of at most `most` bytes. */
static int text(Reader *r, int64_t most) {
    int64_t n = varint(r);
    return n >= 0 && n <= most && (uint64_t)n <= left(r) && take(r, (size_t)n);
}

/* Passes over an element; 0 if there is none. */
static int element(Reader *r, size_t hash, int64_t longest) {
    int64_t tag = varint(r), n;
    if (tag == CONTENTS) return text(r, longest);
    if (tag == NODE_) {
        n = count_of(r, 2);
        for (int64_t i = 0; i < n; i++) {
            if (!text(r, MOST)) return 0;
            int64_t kind = varint(r);
            if (kind < 0 || kind > 1 || !take(r, hash)) return 0;
        }
        return n >= 0;
    }
    if (tag != INODE_ && tag != EXTENDER) return 0;
    if (varint(r) < 0) return 0; /* a length; what it says is looked at when the element is read */
    n = count_of(r, tag == INODE_ ? 2 : 1);
    for (int64_t i = 0; i < n; i++)
        if (varint(r) < 0 || (tag == INODE_ && !take(r, hash))) return 0;
    return n >= 0 && (tag == INODE_ || take(r, hash));
}

/* take_elements(data, at, n, hash_size, longest) */
FUNCTION(take_elements) {
    if (nargs != 5 || !PyBytes_CheckExact(args[0])) return REFER(take_elements);
    Py_ssize_t size = PyBytes_GET_SIZE(args[0]), at = size_of(args[1]), n = size_of(args[2]);
    Py_ssize_t hash = hash_size_of(args[3]), longest = size_of(args[4]);
    if (size > MOST || at < 0 || at > size || n < 0 || n > size - at || hash < 0 || longest < 0) return REFER(take_elements);
    const uint8_t *start = (const uint8_t *)PyBytes_AS_STRING(args[0]);
    Reader r = {start + at, start + size};
    PyObject *found = PyTuple_New(n);
    for (Py_ssize_t i = 0; found && i < n; i++) {
        const uint8_t *first = r.at;
        if (!element(&r, (size_t)hash, longest)) {
            Py_DECREF(found);
            return PyLong_FromSsize_t(r.at - start);
        }
        PyObject *data = PyBytes_FromStringAndSize((const char *)first, r.at - first);
        if (data)
            PyTuple_SET_ITEM(found, i, data);
        else
            Py_CLEAR(found);
    }
    PyObject *answer = found ? Py_BuildValue("nO", (Py_ssize_t)(r.at - start), found) : NULL;
    Py_XDECREF(found);
    return answer;
}

PyMethodDef elements_methods[] = {
    METHOD(take_elements, "The elements of a stream proof in Irmin's form, as they are written."),
    {NULL, NULL, 0, NULL},
};
