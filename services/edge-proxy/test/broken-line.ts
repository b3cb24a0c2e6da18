/** A line to a server that can be cut and mended: who hangs on it lives on. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { steadyPort } from '@tandem/testing/ports.ts'

export interface BrokenLine {
  readonly port: number
  /** What is on it breaks, and who tries again is refused. */
  cut(): Promise<void>
  mend(): Promise<void>
  /** Who comes from now on is led to that address. */
  towards(address: string): void
  close(): Promise<void>
}

export async function startLine(toPort: number, address = '127.0.0.1'): Promise<BrokenLine> {
  let to = address
  const ends = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(toPort, to)
    for (const end of [near, far]) {
      ends.add(end)
      end.on('error', () => {})
      end.on('close', () => {
        ends.delete(end)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far)
    far.pipe(near)
  })
  const listen = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  // while it is cut nobody else is given it
  const port = await listen(await steadyPort())
  const cut = async (): Promise<void> => {
    if (!server.listening) return
    const gone = once(server, 'close')
    server.close()
    for (const end of ends) end.destroy()
    await gone
  }
  return {
    port,
    cut,
    towards(address) {
      to = address
    },
    mend: async () => void (await listen(port)),
    close: cut,
  }
}
