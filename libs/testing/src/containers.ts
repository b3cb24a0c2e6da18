/** Test containers where a Docker engine answers; a reason to skip where none does. Only tests import this file. */
import { createConnection } from 'node:net'
import { getContainerRuntimeClient, ImageName, type StartedTestContainer } from 'testcontainers'

// Each suite stops its own container; the reaper would be one more image to pull.
process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true'

/** Undefined when a container of this image can be started, else why not. */
export async function whyNoContainer(image: string): Promise<string | undefined> {
  const client = await getContainerRuntimeClient().catch(() => undefined)
  if (!client) return 'no Docker engine answers on this machine'
  try {
    const name = ImageName.fromString(image)
    if (!(await client.image.exists(name))) await client.image.pull(name)
    return undefined
  } catch (error) {
    return `the image ${image} is not here and cannot be pulled: ${error instanceof Error ? error.message.slice(0, 120) : error}`
  }
}

/** Where a mapped port answers: the engine's own idea of its host is wrong when the tests run in a container themselves. */
export async function reachableHost(container: StartedTestContainer, port: number): Promise<string> {
  const hosts = [container.getHost(), '127.0.0.1']
  for (let tries = 0; tries < 50; tries++) {
    for (const host of hosts) if (await answers(host, port)) return host
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error(`port ${port} of the container answers neither on ${hosts.join(' nor on ')}`)
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ host, port, timeout: 500 })
    const end = (ok: boolean): void => {
      socket.destroy()
      done(ok)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
    socket.once('timeout', () => end(false))
  })
}
