/** Client of a Spile server: the fleet, sessions, and live streams that resume by themselves. */
export { SpileClient } from "./client.js";
export {
  AgentOfflineError, ConflictError, ForbiddenError, NotFoundError, RateLimitedError, SessionEndedError, SpileError,
  UnauthorizedError, UnavailableError, ValidationError, type ErrorExtras,
} from "./error.js";
export type {
  AttachOptions, CallOptions, ClientOptions, EventChoice, FilterOptions, StartOptions, TransportName, WebSocketClass,
  WebSocketLike,
} from "./options.js";
export type { ConnectionState } from "./feed.js";
export { Stream, type StreamEvents } from "./stream.js";
export * from "./wire.gen.js";
