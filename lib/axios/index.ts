/**
 * Makes requests by axios end with the attempt that makes them, and bring its deadline along.
 *
 * @packageDocumentation
 */

export { type AxiosClient, resilientAxios } from './resilient-axios.js';
