"""How numbers are measured against others, and what they say of the inputs."""

import numpy as np

# Outputs that differ by less than this part of their size from sample to sample count as differing by so much.
CONSTANT = 0.01
# Half of what float32 resolves.
ROUNDING = 3e-8


def spread(values):
    """Largest minus smallest value, but no less than a tenth of the largest size: a constant has rounding too."""
    return max(float(np.ptp(values)), 0.1 * float(np.max(np.abs(values))))


def snr_db(wanted, got):
    """Power of the signal over power of the error, in decibels; None where there is no error to speak of.

    See `signal`.
    """
    noise = float(np.sum(np.square(got - wanted)))
    # An error below 1e-7 of the numbers is their rounding. Numbers below 1e-30 are zero to some processors.
    # Where nothing but zero is wanted there is no size to compare with.
    power = float(np.sum(np.square(wanted)))
    if noise <= (max(ROUNDING**2 * power, 1e-60) if power else 1e-12):
        return None
    return 10 * float(np.log10(max(signal(*powers(wanted)), 1e-60) / noise))


def signal(differing, whole):
    """The power of what outputs say of their inputs; of `powers`.

    What is the same for every input says nothing about it. But it counts as a hundredth of the outputs' size at least,
    for constants are rounded, too.
    """
    return max(differing, CONSTANT**2 * whole)


def powers(values):
    """Sums of the squares of what differs from sample to sample, or within the only one, and of the values whole."""
    differing = values - np.mean(values, axis=0 if len(values) > 1 else None)
    return float(np.sum(np.square(differing))), float(np.sum(np.square(values)))


def differing(values):
    """The rms of what differs from sample to sample, or within the only one, as a part of the rms of the values."""
    part, whole = powers(values)
    return float(np.sqrt(part / max(whole, 1e-60)))
