/**
 * The peer of a router: a process that answers each question with the same bytes at once, over the bare NATS client. What
 * a router takes beyond that is its own.
 */
import { connectBus } from '@tandem/bus/bus.ts'
import { ResolveRoute } from '@tandem/contracts/routing.ts'
import { takeOrders } from './driver-process.ts'

export interface EchoOrder {
  url: string
  user: string
  password: string
  /** an answer as a router gave it, in JSON */
  answer: string
}

takeOrders<EchoOrder, true>(async ({ url, user, password, answer }) => {
  const { connection } = await connectBus({ service: 'routing', url, user, password })
  const bytes = new TextEncoder().encode(answer)
  connection.subscribe(ResolveRoute.subject, {
    queue: user,
    callback: (_error, message) => void message.respond(bytes),
  })
  await connection.flush()
  return true
})
