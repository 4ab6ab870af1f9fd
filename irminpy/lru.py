"""Temporary."""
from collections import OrderedDict
class Lru:
    def __class_getitem__(cls, x): return cls
    def __init__(self, capacity, weigh=None): self.d={}
    def find(self,k): return self.d.get(k)
    def add(self,k,v): self.d[k]=v
    def clear(self): self.d.clear()
