"""Stage the version of each file that counts, and note what can't be formatted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from backbone.errors import BackboneError
from backbone.formatted.loss import Loss, with_way_out
from backbone.formatted.outstanding import Outstanding
from backbone.formatted.staging import Staging
from backbone.ledger.known import Known


@dataclass
class Choice:
    """What became of the files of a source.

    Attributes
    ----------
    unchanged : batches in force that stay: the newest versions, or those behind one that can't be read.
    lost : batches in the table that can't be formatted any more.
    let_go : batches without which the table is published, as the run was asked to or an earlier one was.
    refused : the others that can't be formatted, by batch.
    given_up : the batches of `lost` and `let_go`, and the older versions of those lost, which do not count.
    """

    unchanged: set[str]
    given_up: set[str]
    lost: list[Loss] = field(default_factory=list)
    let_go: list[Loss] = field(default_factory=list)
    refused: dict[str, BackboneError] = field(default_factory=dict)


def choose_versions(
    staging: Staging, source: str, files: Outstanding, known: Mapping[str, Known], *, accept_loss: bool
) -> Choice:
    """Stage what waits: of each file the newest version that can be formatted.

    A version that can't be read leaves the version before it in force. One whose rows are in the table is
    never replaced by an older one.

    Parameters
    ----------
    known : the batches formatted so far.
    accept_loss : go on without what can't be formatted.
    """
    choice = Choice(set(files.unchanged), set(files.given_up))
    for versions in staging.add_groups(files.waiting):
        failed: list[Loss] = []
        for place, batch in enumerate(versions):
            if batch.batch in files.in_force:
                choice.unchanged.add(batch.batch)
                break
            error = staging.add(batch)
            if error is None:
                break
            was = known.get(batch.batch)
            rest = {version.batch for version in versions[place:]}
            if was is not None:
                choice.lost.append(Loss(batch, error, was.count))
                choice.given_up |= rest
                break
            failed.append(Loss(batch, error))
            if rest <= files.given_up_before:  # the older ones too, perhaps as this one was lost
                choice.given_up |= rest
                break
        has_other = any(v.batch in choice.unchanged or v.batch in staging.done for v in versions)
        for loss in failed:
            if accept_loss or loss.batch.batch in files.given_up_before:
                choice.let_go.append(replace(loss, has_other=has_other))
                choice.given_up.add(loss.batch.batch)
            else:
                choice.refused[loss.batch.batch] = with_way_out(source, loss.error)
    return choice
