/* Taking the elements of a stream proof in Irmin's form apart, as `take_element` in `irminpy/proof/irmin/elements.py` does one by one:
 * only how they are written is looked at. */
#include "metadata.h"

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

/* Passes over an element: 1, 0 if there is none, UNUSUAL, -1 with an error set. */
static int element(Reader *r, Metadata *metadata, size_t hash, int64_t longest) {
    int64_t tag = varint(r), n;
    if (tag == CONTENTS) return text(r, longest);
    if (tag == NODE_) {
        n = count_of(r, 2);
        for (int64_t i = 0; i < n; i++) {
            size_t size;
            if (!text(r, MOST)) return 0;
            int64_t kind = varint(r);
            if (kind < 0 || kind > 1 || !take(r, hash)) return 0;
            int done = kind == CONTENTS && metadata->skip ? metadata_skip(metadata, r, &size) : 1;
            if (done != 1) return done;
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

/* take_elements(data, at, n, hash_size, skip, longest) */
FUNCTION(take_elements) {
    if (nargs != 6 || !PyBytes_CheckExact(args[0])) return REFER(take_elements);
    Py_ssize_t size = PyBytes_GET_SIZE(args[0]), at = size_of(args[1]), n = size_of(args[2]);
    Py_ssize_t hash = hash_size_of(args[3]), longest = size_of(args[5]);
    if (size > MOST || at < 0 || at > size || n < 0 || n > size - at || hash < 0 || longest < 0) return REFER(take_elements);
    Metadata metadata = {0};
    int done = metadata_init(&metadata, args[0], args[4]);
    if (!done) return REFER(take_elements);
    const uint8_t *start = (const uint8_t *)PyBytes_AS_STRING(args[0]);
    Reader r = {start + at, start + size};
    PyObject *found = done == 1 ? PyTuple_New(n) : NULL, *answer = NULL;
    if (!found) done = -1;
    for (Py_ssize_t i = 0; done == 1 && i < n; i++) {
        const uint8_t *first = r.at;
        done = element(&r, &metadata, (size_t)hash, longest);
        if (done != 1) break;
        PyObject *data = PyBytes_FromStringAndSize((const char *)first, r.at - first);
        if (data)
            PyTuple_SET_ITEM(found, i, data);
        else
            done = -1;
    }
    if (done == 1) answer = Py_BuildValue("nOO", (Py_ssize_t)(r.at - start), found, metadata.found);
    Py_XDECREF(found);
    Py_XDECREF(metadata.found);
    if (!answer && !PyErr_Occurred()) return done == UNUSUAL ? REFER(take_elements) : refused_at(done, r.at - start);
    return answer;
}

PyMethodDef elements_methods[] = {
    METHOD(take_elements, "The elements of a stream proof in Irmin's form, as they are written."),
    {NULL, NULL, 0, NULL},
};
