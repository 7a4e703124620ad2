"""Why a decision is a dead letter, beside what `intake/decode/reasons.py` says of any message."""

from consumer.errors import Undecodable
from consumer.intake.decode.reasons import Explained


class Refusal(Explained):
    """Why a decision cannot be taken."""

    UNKNOWN_VERDICT = "unknown_verdict", "No verdict stands at `verdict_at`: it is gone, or never was there."
    WRONG_VERDICT = (
        "wrong_verdict",
        "Another verdict stands at `verdict_at` than `verdict_id` names, or one that this service did not write.",
    )
    PROVISIONAL_VERDICT = (
        "provisional_verdict",
        "The decision is about a provisional verdict, which says nothing of the image: decide about the one behind it.",
    )
    BELOW_FLOOR = "below_floor", "A pinned rule asks for more; only a lead goes below it, with `override_pin`."
    NOT_A_LEAD = "not_a_lead", "`override_pin` is set, and the reviewer is none of `reviews.leads`."

    def at(self, where: str, what: str) -> Undecodable:
        """Make the error: `where` is the member's path, `what` never holds the member's value."""
        return Undecodable(self.value, f"{where}: {what}")
