/** A name server on loopback for tests, by UDP and TCP: answers from a table that the test changes. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { steadyPort } from '@tandem/testing/ports.ts'
import packet from 'dns-packet'

export interface TestNames {
  readonly server: string
  /** `TYPE name` -> records. */
  readonly zone: Map<string, packet.Answer[]>
  readonly asked: string[]
  /** Silent, as when the network to it is gone. */
  away: boolean
  /** Questions by TCP, `TYPE name`: what was truncated by UDP (RFC 7766). */
  readonly byTcp: string[]
  close(): void
}

export async function startNameServer(): Promise<TestNames> {
  const socket = createSocket('udp4')
  // one port for both
  const port = await steadyPort()
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  const names: TestNames = {
    server: `127.0.0.1:${port}`,
    zone: new Map(),
    asked: [],
    away: false,
    byTcp: [],
    close() {
      socket.close()
      server.close()
    },
  }
  const answer = (query: packet.Packet): packet.Packet | undefined => {
    const [question] = query.questions ?? []
    if (!question || names.away) return undefined
    const key = `${question.type} ${question.name.toLowerCase()}`
    names.asked.push(key)
    const answers = names.zone.get(key) ?? []
    return {
      type: 'response',
      id: query.id ?? 0,
      flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | (answers.length === 0 ? 3 : 0),
      questions: [question],
      answers,
    }
  }
  socket.on('message', (bytes, from) => {
    const response = answer(packet.decode(bytes))
    if (!response) return
    const whole = packet.encode(response)
    // RFC 1035 4.2.1: no more than 512 octets; the rest is asked for by TCP
    const sent =
      whole.length <= 512
        ? whole
        : packet.encode({ ...response, answers: [], flags: (response.flags ?? 0) | packet.TRUNCATED_RESPONSE })
    socket.send(sent, from.port, from.address)
  })
  const server = createServer((stream) => {
    stream.on('error', () => {})
    let rest = Buffer.alloc(0)
    stream.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 2 && rest.length >= rest.readUInt16BE(0) + 2) {
        const size = rest.readUInt16BE(0) + 2
        const query = packet.streamDecode(rest.subarray(0, size))
        rest = rest.subarray(size)
        const [question] = query.questions ?? []
        if (question) names.byTcp.push(`${question.type} ${question.name.toLowerCase()}`)
        const response = answer(query)
        if (response) stream.write(packet.streamEncode(response))
      }
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return names
}
