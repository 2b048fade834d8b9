/** The proxy of the environment, for errors. */
import type { Client } from "@grpc/grpc-js";

/** A proxy that gRPC takes to the server. */
export interface Proxy {
  /** Its host and port, without user and password. */
  host: string;
  /** The variable of the environment that names it. */
  variable: string;
}

/** The variables of which grpc-js takes the first that is set. */
const VARIABLES = ["grpc_proxy", "https_proxy", "http_proxy"];

/** What grpc-js says if the proxy cannot be reached or refuses: only its log has the cause. */
const CAUSE_IN_LOG = "Last error: undefined";

/** Returns the proxy of a client that was just made for a target, `host:port`: grpc-js has put it in the target's place. */
export function takenProxy(client: Client, target: string): Proxy | undefined {
  const host = client.getChannel().getTarget().replace(/^dns:/, "");
  const variable = VARIABLES.find((name) => process.env[name]);
  return variable !== undefined && host !== target ? { host, variable } : undefined;
}

/** Returns what to say of a connection through a proxy that failed, by what gRPC says. */
export function throughProxy(message: string, { host, variable }: Proxy): string {
  const named = `the proxy ${host}, which ${variable} names`;
  if (!message.includes(CAUSE_IN_LOG)) return `${message} (through ${named})`;
  return (
    `${named}, cannot be reached or gave no connection to the server; ` +
    "grpc-js writes its status or error to standard error, unless GRPC_VERBOSITY is NONE. " +
    `At status 407, set ${variable} to http://USER:PASSWORD@${host}. ` +
    "If the server needs no proxy, name its host in no_proxy, without spaces"
  );
}
