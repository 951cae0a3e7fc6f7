import { resilientFetch } from 'nestjs-bulwark';

/**
 * A JSON call that ends when its attempt does, by a timeout or by a customer who went away, so that no
 * socket is held for an answer that nobody awaits.
 *
 * @throws HttpResponseError whose status tells the library whose fault it is: 5xx is retried, 4xx is not
 */
export async function callUpstream<T>(url: string, init?: RequestInit): Promise<T> {
  const response = await resilientFetch(url, init);
  return (await response.json()) as T;
}
