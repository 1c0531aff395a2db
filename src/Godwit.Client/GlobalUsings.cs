global using System.Runtime.CompilerServices;
global using System.Text.Json.Nodes;
global using System.Text.Json.Serialization.Metadata;
global using Godwit.Api;
