window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false, // a token in the browser's storage outlives the page
  tryItOutEnabled: true,
  validatorUrl: null, // asks a server on the internet otherwise
});
