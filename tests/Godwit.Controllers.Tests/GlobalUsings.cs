global using Godwit.Api;
global using Godwit.Api.Core.V1;
global using Godwit.Api.KubeVirt.V1;
global using Godwit.Api.Meta.V1;
global using Godwit.Base;
global using Godwit.Client;
global using Godwit.Controllers.Migrations;
