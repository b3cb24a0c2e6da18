/**
 * A socket that hears and sends to one peer only, for as long as it is narrow (connected, as the system calls it): the
 * system then looks up route and peer once and not for each packet, which makes a packet some 5 to 10 % cheaper.
 *
 * Others are refused by the system itself, who are not counted then. A port that nobody listens on is known by ICMP: the
 * next packet is not sent, and that is all.
 */
import type { Socket } from 'node:dgram'

/** Bound, with a look-up that answers at once. False: it cannot be, and stays wide. */
export function narrow(socket: Socket, port: number, address: string): boolean {
  try {
    socket.connect(port, address)
    // throws when it is not connected: what kept it from that comes as an event, which nobody waits for
    socket.remoteAddress()
    return true
  } catch {
    return false
  }
}

export function widen(socket: Socket): void {
  try {
    socket.disconnect()
  } catch {
    // it is closing
  }
}
