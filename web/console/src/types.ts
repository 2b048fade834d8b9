/** The JSON of the console's interface: proto3 JSON, in which a field of default value is omitted. */

export type Scope =
  | "evidence.read"
  | "evidence.images"
  | "evidence.export"
  | "evidence.hold"
  | "evidence.delete"
  | "evidence.erase"
  | "audit.read"
  | "reviews.read"
  | "reviews.decide";

export interface Session {
  name: string;
  tenant: string;
  sandbox: boolean;
  roles: string[];
  scopes: string[];
  /** Whether the server has reviews. */
  reviews: boolean;
  login: LoginMethod;
  authenticated_at: string;
  expires_at: string;
  idle_seconds: number;
  csrf: string;
  step_up_seconds: number;
  version: string;
}

export type LoginMethod = "oidc" | "api_key" | "link";

export interface LoginMethods {
  methods: LoginMethod[];
  issuer?: string;
}

export interface CheckSummary {
  checkId: string;
  status?: string;
  reasons?: string[];
  attackType?: string;
  deviceSigns?: string[];
  policy?: string;
  policyVersion?: number;
  sandbox?: boolean;
  createTime?: string;
  decideTime?: string;
  finishTime?: string;
  retainUntil?: string;
  onHold?: boolean;
}

export interface Signal {
  name: string;
  label?: string;
  score?: number;
  weight?: number;
  passed?: boolean;
  detail?: string;
}

export interface ImageFacts {
  purpose?: string;
  sha256: string;
  attempt?: number;
  frameIndex?: number;
  rotation?: string;
  mirrored?: boolean;
  mediaType?: string;
  erased?: boolean;
}

export interface Hold {
  reference: string;
  reason?: string;
  placedBy?: string;
  placeTime?: string;
}

export interface Attempt {
  attempt?: number;
  outcome?: string;
  frames?: number;
  feedback?: string[];
  startTime?: string;
  endTime?: string;
  verdict?: string;
  mode?: string;
  endedBy?: string;
}

export interface DeviceTest {
  name: string;
  outcome?: string;
  reason?: string;
  detail?: string;
  decisive?: boolean;
  tolerated?: boolean;
}

export interface Result {
  checkId: string;
  subjectReference?: string;
  consentReference?: string;
  status?: string;
  reasons?: string[];
  liveness?: {
    verdict?: string;
    confidence?: number;
    attackType?: string;
    usedMode?: string;
    verifiedBits?: number;
    requiredBits?: number;
    signals?: Signal[];
    explanations?: string[];
  };
  match?: {
    samePerson?: boolean;
    similarity?: number;
    fmrBound?: number;
    requiredSimilarity?: number;
    requiredFmr?: number;
    framesUsed?: number;
    scanFmrBound?: number;
  };
  device?: {
    assurance?: string;
    requiredAssurance?: string;
    checks?: DeviceTest[];
    signals?: Signal[];
    injectionMethod?: string;
    toleratedChecks?: string[];
    sdkVersion?: string;
  };
  transcript?: { intact?: boolean; frames?: number; framesExamined?: number; streams?: number; dropped?: number };
  attempts?: Attempt[];
  policy?: { name?: string; version?: number; sha256?: string; oid?: string };
  pack?: {
    name?: string;
    version?: string;
    evaluationOnly?: boolean;
    sha256?: string;
    calibration?: { provenance?: string; sha256?: string; lowestFmrBound?: number };
  };
  createTime?: string;
  decideTime?: string;
  serverVersion?: string;
  sandbox?: boolean;
  requestedOutcome?: boolean;
  trustedCheck?: { checkId: string };
  enrolledUntil?: string;
  history?: Signal[];
}

export interface Evidence {
  result: Result;
  resultJws?: string;
  images?: ImageFacts[];
  frames?: { attempt?: number; sha256?: string[]; complete?: boolean }[];
  trustedImage?: { kept?: string; sha256?: string };
  times?: {
    source?: string;
    createTime?: string;
    decideTime?: string;
    finishTime?: string;
    retainUntil?: string;
    imagesRetainUntil?: string;
    imagesEraseTime?: string;
  };
  holds?: Hold[];
  recordJson?: string;
  recordJws?: string;
  recordVersion?: number;
  alteredFacts?: string[];
}

export interface Approval {
  requestedBy?: string;
  requestTime?: string;
  expireTime?: string;
}

export interface Residue {
  kind?: string;
  description?: string;
}

export interface AuditEvent {
  sequence: string;
  time?: string;
  action: string;
  actor?: { name?: string; role?: string; address?: string };
  checkId?: string;
  pseudonym?: string;
  purpose?: string;
  detail?: Record<string, string>;
  hash?: string;
}

export interface FiguresDay {
  day: string;
  policy?: string;
  /** 64-bit counts are texts in proto3 JSON. */
  successes?: string | number;
  failures?: string | number;
  undecided?: string | number;
  reasons?: { reason?: string; checks?: string | number }[];
  secondsToVerdictMedian?: number;
  secondsToVerdictP90?: number;
  reviews?: { status?: string; outcome?: string; checks?: string | number; sampled?: string | number }[];
  reviewsOpen?: string | number;
  reviewsExpired?: string | number;
}

export interface ReviewDecision {
  reviewer?: string;
  outcome?: string;
  reason?: string;
  comment?: string;
  decideTime?: string;
}

export interface Review {
  checkId: string;
  state?: string;
  causes?: string[];
  createTime?: string;
  expireTime?: string;
  claimedBy?: string;
  claimExpireTime?: string;
  decisions?: ReviewDecision[];
  outcome?: string;
  resultSha256?: string;
  policy?: string;
  status?: string;
  sandbox?: boolean;
  fourEyes?: boolean;
}

/** The request and the answer of each method whose answer is JSON. */
export interface Methods {
  ListChecks: [Record<string, unknown>, { checks?: CheckSummary[]; nextPageToken?: string }];
  GetEvidence: [{ checkId: string; purpose?: string }, Evidence];
  DeleteEvidence: [{ checkId: string; purpose: string }, { eraseTime?: string; approval?: Approval; residues?: Residue[] }];
  PlaceHold: [{ checkId: string; reference: string; reason: string }, { hold?: Hold }];
  ReleaseHold: [{ checkId: string; reference: string; purpose: string }, { approval?: Approval; remainingHolds?: number }];
  WithdrawApproval: [{ checkId?: string; holdReference?: string; subjectReference?: string; reason?: string; purpose: string }, { approval?: Approval }];
  EraseSubject: [
    { subjectReference: string; reason: string; purpose: string },
    { erasedChecks?: number; heldCheckIds?: string[]; forgottenDeviceRows?: number; approval?: Approval; residues?: Residue[] },
  ];
  ListAuditEvents: [Record<string, unknown>, { events?: AuditEvent[]; nextPageToken?: string }];
  GetFigures: [Record<string, unknown>, { days?: FiguresDay[] }];
  ListReviews: [Record<string, unknown>, { reviews?: Review[]; nextPageToken?: string }];
  GetReview: [{ checkId: string }, { review?: Review; reviewJws?: string }];
  ClaimReview: [{ checkId: string }, { review?: Review }];
  ReleaseReview: [{ checkId: string }, { review?: Review }];
  DecideReview: [{ checkId: string; outcome: string; reason: string; comment?: string }, { review?: Review; reviewJws?: string }];
}
