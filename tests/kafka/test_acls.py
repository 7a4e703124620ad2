"""Who may write, by the entries of access control lists."""

from consumer.kafka.acls import Acl, allowed

READ, WRITE, ALL = 3, 4, 2
DENY, ALLOW = 2, 3


def test_who_may_write_is_who_is_allowed_to() -> None:
    """
    By Write or All, from any host; readers are not named.
    """
    acls = [
        Acl("User:a", "*", WRITE, ALLOW), Acl("User:b", "10.0.0.1", ALL, ALLOW), Acl("User:c", "*", READ, ALLOW),
        Acl("User:a", "10.0.0.1", WRITE, ALLOW),
    ]  # fmt: skip

    assert allowed(acls) == {"User:a", "User:b"}


def test_who_is_denied_it_everywhere_may_not() -> None:
    """
    A denial from one host leaves the others, one of reading leaves writing, and one of everybody leaves nobody.
    """
    everywhere, somewhere = Acl("User:a", "*", ALL, DENY), Acl("User:b", "10.0.0.1", WRITE, DENY)
    acls = [Acl("User:a", "*", WRITE, ALLOW), Acl("User:b", "*", WRITE, ALLOW), Acl("User:b", "*", READ, DENY)]

    assert allowed([*acls, everywhere, somewhere]) == {"User:b"}
    assert allowed([*acls, Acl("User:*", "*", WRITE, DENY)]) == frozenset()
