global using System.Runtime.CompilerServices;
global using Godwit.Api;
