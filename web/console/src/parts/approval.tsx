/** What an erasure or a release left to do: a second person, and the places that may still have the data. */
import type { Approval, Residue } from "../types.js";
import { t } from "../texts/index.js";
import { Notice, Time } from "./ui.js";

export function ApprovalNotice({ approval }: { approval: Approval }) {
  return (
    <Notice tone="warn">
      <p>{t("approval.waits", { name: approval.requestedBy ?? "" })}</p>
      <p>
        {t("approval.until")} <Time of={approval.expireTime} />
      </p>
    </Notice>
  );
}

export function Residues({ residues }: { residues: readonly Residue[] | undefined }) {
  if (residues === undefined || residues.length === 0) return null;
  return (
    <>
      <p>{t("residues")}</p>
      <ul lang="en">
        {residues.map(({ kind, description }) => (
          <li key={kind}>{description}</li>
        ))}
      </ul>
    </>
  );
}
