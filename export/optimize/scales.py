"""Which tensors of a file have one scale."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Scales:
    """Sets of tensors with one scale, joined as the calls of a model are read from its inputs on.

    Attributes:
        parents: by id of a tensor that of another one in its set, nearer to the one that stands for the set.
        fixed: by id of the tensor that stands for a set the range that TFLite lays down for it.
        made: by the same how often numbers of that scale are made.
    """

    parents: dict = field(default_factory=dict)
    fixed: dict = field(default_factory=dict)
    made: Counter = field(default_factory=Counter)

    def find(self, tensor):
        """The id of the tensor that stands for the set of one."""
        key = id(tensor)
        while key in self.parents:
            key = self.parents[key]
        return key

    def join(self, tensor, others):
        """Gives a tensor the scale of others; those whose scale is laid down keep it, unless all have the same."""
        roots = {self.find(other) for other in others}
        loose = {root for root in roots if root not in self.fixed}
        for root in loose or (roots if len({self.fixed[root] for root in roots}) == 1 else ()):
            here = self.find(tensor)
            if root != here:
                self.parents[here] = root
                if here in self.made:
                    self.made[root] += self.made.pop(here)
                if here in self.fixed:
                    self.fixed[root] = self.fixed.pop(here)
