declare module "attnscope:style" {
  const text: string;
  export default text;
}
