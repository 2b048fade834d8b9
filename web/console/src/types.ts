/** The JSON of the console's interface. What the contract has is proto3 JSON, whose types follow from the stubs. */
import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type * as audit from "@facegate/protocol/generated/facegate/v1/audit_pb.js";
import type * as evidence from "@facegate/protocol/generated/facegate/v1/evidence_service_pb.js";
import type * as result from "@facegate/protocol/generated/facegate/v1/result_pb.js";
import type * as review from "@facegate/protocol/generated/facegate/v1/review_service_pb.js";

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

/** The fields that pages rely on: in what they read, the server never leaves them empty. */
type Filled = "action" | "checkId" | "day" | "name" | "reference" | "result" | "sequence" | "sha256";

/** The fields of a message. */
type Fields<M extends Message> = Exclude<keyof M, "$typeName" | "$unknown">;

/** The JSON of a value of a field: an enumeration's is its name, that of a time, of bytes and of 64 bits a text. */
type JsonOf<T> = T extends Timestamp | Uint8Array | bigint
  ? string
  : T extends number
    ? `${number}` extends `${T}` ? number : string
    : T extends readonly (infer Item)[]
      ? JsonOf<Item>[]
      : T extends Message
        ? Json<T>
        : T;

/** The JSON of a message, in which a field of default value is omitted. */
type Json<M extends Message> = { [Name in Fields<M> as Name extends Filled ? Name : never]: JsonOf<NonNullable<M[Name]>> } & {
  [Name in Fields<M> as Name extends Filled ? never : Name]?: JsonOf<NonNullable<M[Name]>>;
};

export type CheckSummary = Json<evidence.CheckSummary>;
export type Signal = Json<result.Signal>;
export type ImageFacts = Json<evidence.EvidenceImageFacts>;
export type Hold = Json<evidence.Hold>;
export type Attempt = Json<result.AttemptSummary>;
export type Result = Json<result.CheckResult>;
export type Evidence = Json<evidence.GetEvidenceResponse>;
export type Approval = Json<evidence.Approval>;
export type Residue = Json<evidence.Residue>;
export type AuditEvent = Json<audit.AuditEvent>;
export type FiguresDay = Json<evidence.FiguresOfDay>;
export type Review = Json<review.Review>;

interface Method {
  methodKind: string;
  input: DescMessage;
  output: DescMessage;
}

type MethodsOf<Service extends { method: Record<string, Method> }> = {
  [Name in keyof Service["method"] as Service["method"][Name]["methodKind"] extends "unary" ? Capitalize<Name & string> : never]: [
    Partial<Json<MessageShape<Service["method"][Name]["input"]>>>,
    Json<MessageShape<Service["method"][Name]["output"]>>,
  ];
};

/** The request and the answer of each method whose answer is JSON. */
export type Methods = MethodsOf<typeof evidence.EvidenceService> & MethodsOf<typeof review.ReviewService>;
