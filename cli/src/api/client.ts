/** The console's HTTP API (/api/v1), as the commands use it. */
import { randomUUID } from 'node:crypto'
import { Failure } from '../failure.ts'

/** RFC 9457 */
export interface ProblemDetails {
  type?: string
  title?: string
  status?: number
  detail?: string
  problems?: { file: string; line: number; column: number; message: string; instead: string }[]
  plan?: { tests: { index: number; passed: boolean; detail: string }[] }
  [more: string]: unknown
}

export class ApiFailure extends Failure {
  /** 0 when nothing answered */
  readonly status: number
  readonly problem: ProblemDetails
  constructor(status: number, problem: ProblemDetails, message: string, remedy: string, details: string[] = []) {
    super(message, remedy, details)
    this.status = status
    this.problem = problem
  }
}

export type Query = Record<string, string | number | boolean | undefined>

export interface Api {
  /** http://host:port */
  readonly address: string
  get<T>(path: string, query?: Query): Promise<T>
  /** Body of another type than JSON, as text. */
  text(path: string, query?: Query, accept?: string): Promise<string>
  /** A file. */
  bytes(path: string): Promise<Uint8Array>
  post<T>(path: string, body: unknown): Promise<T>
  /** Every page of a resource, one after the other. */
  pages<T extends { next?: string | undefined }>(path: string, query?: Query): AsyncGenerator<T>
}

const PATIENCE_MS = 15_000
/** A change goes round all services, and a large one takes each of them its time to read. */
const CHANGE_PATIENCE_MS = 280_000

export function connectApi({ address, token }: { address: string; token: string | null }): Api {
  const base = /^https?:/.test(address) ? address.replace(/\/$/, '') : `http://${address}`

  async function ask(method: string, path: string, query: Query, body: unknown, accept: string): Promise<Response> {
    const url = new URL(`${base}/api/v1${path}`)
    for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, String(value))
    let response: Response
    try {
      response = await fetch(url, {
        method,
        signal: AbortSignal.timeout(path.startsWith('/config/') ? CHANGE_PATIENCE_MS : PATIENCE_MS),
        headers: {
          accept,
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': randomUUID() }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    } catch (error) {
      const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).message
      throw new ApiFailure(
        0,
        {},
        `the console does not answer at ${base} (${cause})`,
        'Is Tandem running? "tandem up" starts it, "tandem status" shows it; TANDEM_API names another one.',
      )
    }
    if (!response.ok) throw await failureOf(response, url.pathname)
    return response
  }

  const json = async <T>(response: Response) => (await response.json()) as T
  return {
    address: base,
    get: async (path, query = {}) => await json(await ask('GET', path, query, undefined, 'application/json')),
    text: async (path, query = {}, accept = 'text/plain') =>
      await (await ask('GET', path, query, undefined, accept)).text(),
    bytes: async (path) => new Uint8Array(await (await ask('GET', path, {}, undefined, '*/*')).arrayBuffer()),
    post: async (path, body) => await json(await ask('POST', path, {}, body, 'application/json')),
    async *pages<T extends { next?: string | undefined }>(path: string, query: Query = {}) {
      let cursor: string | undefined
      do {
        const page: T = await json<T>(
          await ask('GET', path, { limit: 1000, ...query, cursor }, undefined, 'application/json'),
        )
        yield page
        cursor = page.next
      } while (cursor !== undefined)
    },
  }
}

async function failureOf(response: Response, path: string): Promise<ApiFailure> {
  const text = await response.text()
  let problem: ProblemDetails = {}
  try {
    problem = JSON.parse(text) as ProblemDetails
  } catch {
    problem = { title: text.slice(0, 200) }
  }
  const failed = problem.plan?.tests.filter((t) => !t.passed) ?? []
  const said =
    failed.length > 0
      ? `${problem.title}: nothing was changed`
      : (problem.detail ?? problem.title ?? `${path} answered ${response.status}`)
  const details = [
    ...(problem.problems ?? []).map((p) => `${p.file}:${p.line}:${p.column}  ${p.message}. ${p.instead}`),
    ...failed.map((t) => `test ${t.index + 1}: ${t.detail}`),
  ]
  return new ApiFailure(response.status, problem, said, remedyFor(response.status), details)
}

function remedyFor(status: number): string {
  if (status === 401) return 'Set TANDEM_TOKEN, or TANDEM_DATA to the folder whose secrets/api-token is the right one.'
  if (status === 403) return 'The token has not the role for this: use one of an operator or administrator.'
  if (status === 404) return 'Check the name: the listing commands (calls, trunks, presence) show what there is.'
  if (status === 503) return 'A service is not there yet: "tandem status" shows which.'
  return 'Mend what it says and try again.'
}
