global using Godwit.Api;
global using Godwit.Api.Core.V1;
global using Godwit.Api.KubeVirt.V1;
