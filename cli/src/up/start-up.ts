/** `tandem up`: everything on this machine, each part a process of its own, until told to stop. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type ServiceName, serviceNames } from '@tandem/contracts/contract.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { type Api, connectApi } from '../api/client.ts'
import { Failure } from '../failure.ts'
import { applyWhenUp } from './apply.ts'
import { type CheckedFiles, readChecked } from './configuration.ts'
import {
  type DataFolder,
  DEFAULT_API,
  dataFolderOf,
  makeDataFolder,
  type RunState,
  removeState,
  writeState,
} from './data-folder.ts'
import { endLeftovers } from './leftovers.ts'
import { type Lock, takeLock } from './lock.ts'
import { type NatsPlan, planNats, removeNatsFiles } from './nats.ts'
import { Part, type PartPlan } from './part.ts'
import { refuseTakenPorts } from './ports.ts'
import { type Postgres, startPostgres } from './postgres.ts'
import { identify } from './process-identity.ts'
import { prepareSecrets, type Secrets } from './secrets.ts'
import { healthUrl, planServices, type ServiceSettings } from './services.ts'

export interface UpOptions {
  config: string
  data?: string | undefined
  environment: NodeJS.ProcessEnv
  /** the API answers without a token: loopback demonstration */
  open?: boolean
  /** hears of it before anything runs, so that a second Ctrl-C can end what is only half there */
  onBegin?(up: Pick<Up, 'kill'>): void
  /** runs when the secrets are there and before any service is, e.g. to start the carriers of the demonstration */
  beforeServices?(secrets: Secrets, checked: CheckedFiles): Promise<void>
  /** aborts a start that is not ready yet; afterwards call `stop` */
  signal?: AbortSignal
  /** a line for the person who watches */
  say(line: string): void
  /** something ended that should not have */
  warn(line: string): void
}

export interface Up {
  folder: DataFolder
  api: Api
  secrets: Secrets
  checked: CheckedFiles
  state(): RunState
  /** In order: the edge drains first, then the services, NATS and PostgreSQL. Leaves no process, socket or lock. */
  stop(): Promise<void>
  /** At once, for a second Ctrl-C. */
  kill(): void
  /** rejects when a part is given up */
  broken: Promise<never>
}

const READY_WITHIN_MS = 60_000

export async function startUp(options: UpOptions): Promise<Up> {
  const checked = readChecked(options.config)
  const folder = dataFolderOf(options.environment, options.data)
  makeDataFolder(folder)
  const lock = takeLock(folder.run, folder.path)
  const running = new Running(options, checked, folder, lock)
  options.onBegin?.(running)
  try {
    await running.start()
    return running
  } catch (error) {
    await running.stop()
    throw error
  }
}

class Running implements Up {
  readonly folder: DataFolder
  readonly checked: CheckedFiles
  readonly broken: Promise<never>
  secrets!: Secrets
  api!: Api
  readonly #options: UpOptions
  readonly #lock: Lock
  readonly #parts: Part[] = []
  readonly #health = new Map<string, number>()
  readonly #startedAt = new Date().toISOString()
  #nats: NatsPlan | undefined
  #postgres: Postgres | undefined
  #readyAt: string | null = null
  #break!: (failure: Failure) => void
  #stopped: Promise<void> | undefined

  constructor(options: UpOptions, checked: CheckedFiles, folder: DataFolder, lock: Lock) {
    this.#options = options
    this.checked = checked
    this.folder = folder
    this.#lock = lock
    this.broken = new Promise((_, reject) => {
      this.#break = reject
    })
    this.broken.catch(() => {}) // whoever cares awaits it
    const cancel = () => this.#readyAt === null && this.#break(new Failure('stopped before it was ready', ''))
    options.signal?.addEventListener('abort', cancel, { once: true })
  }

  async start(): Promise<void> {
    const { environment, say } = this.#options
    await this.#clearLeftovers()
    const apiAddress = environment.TANDEM_API ?? DEFAULT_API
    await refuseTakenPorts(this.checked.configuration, this.checked.files, apiAddress)
    this.secrets = await prepareSecrets(this.checked.configuration, this.folder, this.checked.folder, environment)
    if (this.secrets.made.length > 0) say(`made ${this.secrets.made.length} secrets in ${this.folder.secrets} (0600)`)
    this.api = connectApi({ address: apiAddress, token: this.secrets.token })
    for (const name of serviceNames) this.#health.set(name, await steadyPort())

    await this.#options.beforeServices?.(this.secrets, this.checked)
    say(this.#opening())
    const [databaseUrl] = await Promise.all([this.#startDatabase(), this.#startNats()])
    const services = planServices(this.#serviceSettings(apiAddress, databaseUrl)).map((plan) => this.#launch(plan))
    const applied = await Promise.race([applyWhenUp(this.api, this.checked, this.folder, READY_WITHIN_MS), this.broken])
    say(applied)
    await Promise.race([Promise.all(services.map((part) => this.#untilReady(part))), this.broken])
    this.#readyAt = new Date().toISOString()
    this.#save()
  }

  async #clearLeftovers(): Promise<void> {
    if (this.#lock.stale) {
      this.#options.say(
        `the last "up" on ${this.folder.path} (process ${this.#lock.stale.pid}) was killed: taking over`,
      )
    }
    for (const part of await endLeftovers(this.folder)) {
      this.#options.say(`stopped ${part.name} (process ${part.pid}), left behind by it`)
    }
    removeNatsFiles(this.folder)
    mkdirSync(this.folder.logs, { recursive: true })
  }

  #opening(): string {
    const { DATABASE_URL, NATS_URL } = this.#options.environment
    const parts = [...(NATS_URL ? [] : ['NATS']), ...(DATABASE_URL ? [] : ['the database']), ...serviceNames]
    const first = !existsSync(join(this.folder.path, 'applied.json'))
    return `starting ${parts.join(', ')}${first ? ' (the first time takes longer)' : ''} …`
  }

  async #startDatabase(): Promise<string> {
    const given = this.#options.environment.DATABASE_URL
    if (given) return given
    this.#postgres = await startPostgres(
      this.folder,
      (why) => this.#options.warn(why),
      () => this.#save(),
    )
    this.#save()
    return this.#postgres.url
  }

  async #startNats(): Promise<void> {
    if (this.#options.environment.NATS_URL) return
    this.#nats = planNats(this.folder)
    await Promise.race([this.#untilReady(this.#launch(this.#nats)), this.broken])
  }

  #serviceSettings(api: string, databaseUrl: string): ServiceSettings {
    const { environment, open } = this.#options
    return {
      folder: this.folder,
      configFolder: this.checked.folder,
      api,
      environment,
      natsUrl: () => environment.NATS_URL || (this.#nats as NatsPlan).url(),
      natsPassword: (service: ServiceName) => this.#nats?.passwords[service],
      databaseUrl: () => databaseUrl,
      healthPort: (service) => this.#health.get(service) as number,
      tokensFile: this.secrets.tokensFile,
      secrets: this.secrets.environment,
      open: open ?? false,
    }
  }

  #launch(plan: PartPlan): Part {
    const part: Part = new Part(plan, {
      changed: () => this.#save(),
      ended: (why, again) =>
        this.#options.warn(`${plan.name} ended (${why}); starting it again in ${again} ms; its log: ${plan.log}`),
      gaveUp: (why) =>
        this.#break(new Failure(`${plan.name} does not start (${why})`, `Its log: ${plan.log}`, part.lastLines(20))),
    })
    this.#parts.push(part)
    part.start()
    return part
  }

  async #untilReady(part: Part): Promise<void> {
    const until = performance.now() + READY_WITHIN_MS
    while (part.state !== 'ready') {
      if (performance.now() > until) {
        const why = await this.#whyNotReady(part.plan.name)
        throw new Failure(
          `${part.plan.name} is not ready after ${READY_WITHIN_MS / 1000} s${why}`,
          `Its log: ${part.plan.log}`,
          part.lastLines(20),
        )
      }
      await new Promise((done) => setTimeout(done, 20))
    }
  }

  async #whyNotReady(name: string): Promise<string> {
    const health = this.#healthOf(name)
    if (health === null) return ''
    try {
      const body = (await (await fetch(`${health}/readyz`, { signal: AbortSignal.timeout(2000) })).json()) as {
        why?: string
      }
      return body.why ? `: ${body.why}` : ''
    } catch (error) {
      return `: ${(error as Error).message}`
    }
  }

  #healthOf(name: string): string | null {
    const port = this.#health.get(name)
    const api = this.#options.environment.TANDEM_API ?? DEFAULT_API
    return port === undefined ? null : healthUrl(name as ServiceName, { healthPort: () => port, api })
  }

  state(): RunState {
    const parts = this.#parts.map((part) => ({
      name: part.plan.name,
      ...(part.identity ?? { pid: 0, birth: null }),
      state: part.state,
      restarts: part.restarts,
      health: this.#healthOf(part.plan.name),
      log: part.plan.log,
    }))
    const p = this.#postgres
    if (p)
      parts.push({
        name: 'postgres',
        ...p.identity(),
        state: 'ready',
        restarts: p.restarts(),
        health: null,
        log: p.log,
      })
    return {
      supervisor: identify(process.pid),
      startedAt: this.#startedAt,
      readyAt: this.#readyAt,
      config: this.#options.config,
      data: this.folder.path,
      api: this.api?.address ?? '',
      nats: withoutPassword(this.#options.environment.NATS_URL || (this.#nats?.url() ?? '')),
      parts,
    }
  }

  #save(): void {
    if (this.#stopped === undefined) writeState(this.folder, this.state())
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll()
    return this.#stopped
  }

  async #stopAll(): Promise<void> {
    const named = (name: string) => this.#parts.filter((part) => part.plan.name === name)
    const services = this.#parts.filter((part) => part.plan.name !== 'nats' && part.plan.name !== 'edge-proxy')
    await Promise.all(named('edge-proxy').map((part) => part.stop()))
    await Promise.all(services.map((part) => part.stop()))
    await Promise.all(named('nats').map((part) => part.stop()))
    await this.#postgres?.stop()
    removeNatsFiles(this.folder)
    removeState(this.folder)
    this.#lock.release()
  }

  kill(): void {
    for (const part of this.#parts) part.kill()
    this.#postgres?.kill()
    removeNatsFiles(this.folder)
    removeState(this.folder)
    this.#lock.release()
  }
}

/** Addresses as people may see them, in files and on the screen. */
const withoutPassword = (urls: string): string => urls.replace(/:\/\/[^\s/@,]*@/g, '://')
