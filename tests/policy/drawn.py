"""Rules and answers as hypothesis draws them."""

from typing import Any

from hypothesis import strategies as st

RANKS = ["none", "low", "medium", "high"]
NAMES = ["x", "y_lib", "y_tii_lib", "nonLabel", "nonLabel_lib"]
PATTERNS = [["x"], ["*"], ["y*", "!*_tii_lib"], ["nonLabel_lib", "x"], ["*_lib"]]


def _rule(labels: Any, level: Any, confidence: Any, then: str, pin: bool, service: Any, way: Any) -> dict[str, Any]:
    return {
        "match": {
            "label": labels,
            **({"level": level} if level else {}),
            **({"confidence": confidence} if confidence else {}),
            **({"service": service} if service else {}),
        },
        "then": then,
        **({"pin": True} if pin and then != "pass" else way),
    }


rules = st.builds(
    _rule,
    st.sampled_from(PATTERNS),
    st.lists(st.sampled_from(RANKS), max_size=2, unique=True),
    st.sampled_from([None, {"lt": 50}, {"gte": 50}, {"gte": 20, "lt": 80}]),
    st.sampled_from(["pass", "review", "block"]),
    st.booleans(),
    st.sampled_from([None, ["a"], ["*"], ["*", "!a"]]),
    st.sampled_from([{}, {}, {"mode": "shadow"}, {"rollout": 0.0}, {"rollout": 0.5}, {"rollout": 1.0}]),
)
answers = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from([*RANKS, None, "severe"]),
        st.lists(
            st.tuples(
                st.sampled_from(NAMES),
                st.sampled_from([None, 0.0, 20.0, 50.0, 80.0, 100.0]),
                st.sampled_from([*RANKS, None, "severe"]),
            ),
            min_size=1,
            max_size=3,
        ),
    ),
    min_size=1,
    max_size=2,
)
