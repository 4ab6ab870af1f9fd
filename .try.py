import irminpy, time, random, statistics
from irminpy import *
from irminpy.formats import Native

for fmt in (Native(), Native(2, 2)):
    schema = Schema(format=fmt)
    repo = irminpy.open("mem:", schema)
    main = repo.main()
    ed = repo.empty_tree().edit()
    N = 100000
    keys = [f"a{i % 10}/b{i // 10 % 100}/k{i}" for i in range(N)]
    for i, k in enumerate(keys):
        ed[k] = b"%08d:" % i + b"v" * 91
    main.set_tree((), ed.tree())
    root = main.head().tree_hash
    rnd = random.Random(1)
    sample = rnd.sample(keys, 200)
    fs = [(lambda k: lambda t: (t, t.get(k)))(k) for k in sample]
    raws = []
    for f in fs:
        raws.append(main.produce_proof(f)[0].to_bytes())
    t0 = time.process_time()
    for f in fs:
        main.produce_proof(f)[0].to_bytes()
    t1 = time.process_time()
    for f, raw in zip(fs, raws):
        p = Proof.from_bytes(raw, schema)
        verify_proof(p, f, schema, root=root)
    t2 = time.process_time()
    ls = sorted(map(len, raws))
    print(
        fmt,
        "size",
        statistics.median(ls),
        ls[-1],
        "produce us",
        (t1 - t0) / 200 * 1e6,
        "verify us",
        (t2 - t1) / 200 * 1e6,
    )
    p = Proof.from_bytes(raws[0], schema)
    q = irminpy.Proof(p.before, p.after, p.state, schema)
    assert q.to_bytes() == raws[0]
    verify_proof(q, fs[0], schema, root=root)
    j = p.to_json()
    import json

    assert irminpy.Proof.from_json(json.loads(json.dumps(j)), schema) == p
    s, _ = main.produce_stream(fs[0])
    print(len(s.to_bytes()))
    verify_stream(StreamProof.from_bytes(s.to_bytes(), schema), fs[0], schema, root=root)
    big = rnd.sample(keys, 10000)

    def g(t):
        return t, [t.get(k) for k in big]

    t0 = time.process_time()
    pr, _ = main.produce_proof(g)
    raw = pr.to_bytes()
    t1 = time.process_time()
    verify_proof(Proof.from_bytes(raw, schema), g, schema, root=root)
    t2 = time.process_time()
    print("10k", len(raw), t1 - t0, t2 - t1, len(pr.shown().nodes))
