"""The verb `data split`: divides a set into train, val and test; it must not know formats or how that is chosen."""

from handlens.cli.data import options


def split(
    set: options.SetPath,
    dest: options.Dest,
    shares: options.Shares = options.PUBLISHED_SHARES,
    group: options.Group = None,
    group_by: options.GroupBy = None,
    near: options.Near = options.NEAR_BITS,
    seed: options.Seed = 0,
    kind: options.Kind = None,
) -> int:
    """Copy a set, split into train, val and test.

    Splits that it has are forgotten. A set with boxes and masks, as a rendered one, keeps both. No person is in two
    splits, if it is known who is who: from groups.csv (file,group) in the folder, from --group or --group-by. The same
    picture and near copies are always kept together.
    """
    place = options.check_dest(dest, [set])
    reading = options.Reading(with_masks=True)
    found = options.grouped(reading.open(set, kind), group, group_by)
    return options.split_and_write(found, place, shares, near, seed, reading)
