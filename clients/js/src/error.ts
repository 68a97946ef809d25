import { CODE_STATUS, type ErrorBody, type ErrorCode } from "./wire.gen.js";

/** What is known of a refusal beside its code and message. */
export interface ErrorExtras {
  /** The HTTP status that came; that of the code's row in the server's table where none came. */
  status?: number | undefined;
  /** For each offending field what was wrong and what is allowed. */
  details?: Record<string, string> | undefined;
  /** What was thrown below. */
  cause?: unknown;
  /** Seconds after which the server wants to be asked again. */
  retryAfter?: number | undefined;
}

/**
 * A refusal by the server, or a server that cannot be reached (code `unavailable`). What ended because an AbortSignal
 * did is not one of these: it throws the signal's reason.
 */
export class SpileError extends Error {
  override readonly name: string = "SpileError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly details: Record<string, string>;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.code = code;
    this.status = extras.status ?? CODE_STATUS[code];
    this.details = extras.details ?? {};
    this.retryAfter = extras.retryAfter;
  }
}

/** A request that the server does not understand or allow; `details` names the fields. */
export class ValidationError extends SpileError { override readonly name = "ValidationError"; }
/** No token, or one that is not good (any more). */
export class UnauthorizedError extends SpileError { override readonly name = "UnauthorizedError"; }
/** Known, and not allowed. */
export class ForbiddenError extends SpileError { override readonly name = "ForbiddenError"; }
/** No such session, agent or path. */
export class NotFoundError extends SpileError { override readonly name = "NotFoundError"; }
/** At odds with what is. */
export class ConflictError extends SpileError { override readonly name: string = "ConflictError"; }
/** The agent cannot be reached now. */
export class AgentOfflineError extends ConflictError { override readonly name = "AgentOfflineError"; }
/** The session has ended. */
export class SessionEndedError extends ConflictError { override readonly name = "SessionEndedError"; }
/** Too much is open or asked for; `retryAfter` says when to come again, where the server said so. */
export class RateLimitedError extends SpileError { override readonly name = "RateLimitedError"; }
/** The server cannot be reached, or cannot do its work. */
export class UnavailableError extends SpileError { override readonly name = "UnavailableError"; }

/** The classes of those codes that have one. */
const classes: { readonly [code in ErrorCode]?: typeof SpileError } = {
  validation_error: ValidationError,
  unauthorized: UnauthorizedError,
  forbidden: ForbiddenError,
  not_found: NotFoundError,
  conflict: ConflictError,
  agent_offline: AgentOfflineError,
  session_ended: SessionEndedError,
  rate_limited: RateLimitedError,
  unavailable: UnavailableError,
};

/** Makes the error of a code, of the class that the code has. */
export function errorOf(code: ErrorCode, message: string, extras?: ErrorExtras): SpileError {
  return new (classes[code] ?? SpileError)(code, message, extras);
}

/** Reads the body of a refusal; undefined if it is none of the server's own. */
export function refusalOf(status: number, body: string, retryAfter?: string | null): SpileError | undefined {
  let parsed: Partial<ErrorBody> | null;
  try {
    parsed = JSON.parse(body) as Partial<ErrorBody> | null;
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const { error, message, details } = parsed;
  if (typeof error !== "string" || !(error in CODE_STATUS) || typeof message !== "string") return undefined;
  const refusal = errorOf(error, message, { status, details, retryAfter: seconds(retryAfter) });
  serverWords.add(refusal);
  return refusal;
}

/** The errors that the server itself has spoken, and not something between. */
const serverWords = new WeakSet<SpileError>();

/** Whether the server itself has said so. */
export function isServerWord(error: SpileError): boolean {
  return serverWords.has(error);
}

/** The error of an answer that is none of the server's own, as a proxy in between gives it. */
export function errorOfStatus(status: number, statusText: string): SpileError {
  return errorOf(codeOf(status), `the server answered ${`${status} ${statusText}`.trim()}`, { status });
}

/** The most general code with an HTTP status. */
function codeOf(status: number): ErrorCode {
  if (status === 502 || status === 504) return "unavailable";
  for (const [code, known] of Object.entries(CODE_STATUS)) {
    if (known === status) return code as ErrorCode;
  }
  return status < 500 ? "validation_error" : "internal_error";
}

function seconds(text: string | null | undefined): number | undefined {
  const n = Number.parseInt(text ?? "", 10);
  return Number.isNaN(n) ? undefined : n;
}
