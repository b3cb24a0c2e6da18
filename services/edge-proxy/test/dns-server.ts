/** A name server on loopback for tests: answers from a table that the test changes. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import packet from 'dns-packet'

export interface TestNames {
  readonly server: string
  /** `TYPE name` -> records. */
  readonly zone: Map<string, packet.Answer[]>
  readonly asked: string[]
  /** Silent, as when the network to it is gone. */
  away: boolean
  close(): void
}

export async function startNameServer(): Promise<TestNames> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const names: TestNames = {
    server: `127.0.0.1:${socket.address().port}`,
    zone: new Map(),
    asked: [],
    away: false,
    close: () => socket.close(),
  }
  socket.on('message', (bytes, from) => {
    const query = packet.decode(bytes)
    const [question] = query.questions ?? []
    if (!question || names.away) return
    const key = `${question.type} ${question.name.toLowerCase()}`
    names.asked.push(key)
    const answers = names.zone.get(key) ?? []
    socket.send(
      packet.encode({
        type: 'response',
        id: query.id ?? 0,
        flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | (answers.length === 0 ? 3 : 0),
        questions: [question],
        answers,
      }),
      from.port,
      from.address,
    )
  })
  return names
}
