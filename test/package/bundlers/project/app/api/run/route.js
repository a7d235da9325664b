import { run } from '../../../app.js';

/** What the program gives on the server. */
export async function GET(request) {
  return Response.json(await run(new URL(request.url).searchParams.get('server')));
}
