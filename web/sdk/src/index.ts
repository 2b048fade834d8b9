/** Face verification with liveness in a web page: the client of a Facegate server. */
export {
  CameraError,
  type CameraProblem,
  CancelledError,
  ConnectionFailedError,
  FacegateError,
  ProtocolViolatedError,
  type Refusal,
  ScanEndedError,
  ServerNotTrustedError,
  ServerRefusedError,
  UnsupportedBrowserError,
} from "./errors.js";
export type { AttemptPlan, AttemptResult, HintCode, Interruption, Oval, ScanEvents, ScanStatus } from "./events.js";
export { type Attestor, browserKey, type Evidence, passkey, type PasskeyOptions } from "./evidence.js";
export type { Colour, FlashScreen } from "./flash/show.js";
export { FaceScan, type ScanOptions, type ScanOutcome, type ScanScreen, type ScanTicket } from "./scan.js";
export { VERSION } from "./version.js";
