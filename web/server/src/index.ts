export { Facegate, type CallOptions, type FacegateOptions, type FinishedCheck, type NewCheck, type TrustedImage } from "./client.js";
export * from "./errors.js";
export { ErrorReason } from "./generated/facegate/v1/error_reason_pb.js";
export * from "./generated/facegate/v1/result_pb.js";
export * from "./generated/facegate/v1/review_pb.js";
export { Mode } from "./generated/facegate/v1/scan_pb.js";
export * from "./generated/facegate/v1/verification_service_pb.js";
export { ResultVerifier, type ExpectedResults, type ResultClaims } from "./results.js";
export { verifyWebhook, type EventType, type WebhookEvent, type WebhookHeaders } from "./webhooks.js";
